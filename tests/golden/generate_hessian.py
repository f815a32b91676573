#!/usr/bin/env python3
"""Golden Hessian-vector products, from PyTorch's reverse-mode derivatives in double precision.

Writes hessian.csv beside itself: case, what, numbers separated by spaces. Made with PyTorch 2.15.0, Python 3.11:

    python3 -m venv venv && venv/bin/pip install torch==2.15.0 numpy
    venv/bin/python generate_hessian.py

softmax: a 5-7-4 tanh network, mean cross-entropy of nine samples. two-layer: f = sum a_j max(w_j.x, 0) of six inputs and eight units, mean of
(f - y)^2/2 over ten samples; no w_j.x is within 1e-3 of its kink. Parameters lie as the kernels have them: weight matrices by rows (two-layer:
then a), then the biases. The product is the derivative of gradient.direction.
"""

from pathlib import Path

import torch

torch.set_default_dtype(torch.float64)


def split(parameters, shapes):
    parts, start = [], 0
    for shape in shapes:
        length = 1
        for side in shape:
            length *= side
        parts.append(parameters[start : start + length].reshape(shape))
        start += length
    return parts


def softmax(parameters, inputs, labels):
    w1, w2, b1, b2 = split(parameters, [(7, 5), (4, 7), (7,), (4,)])
    logits = torch.tanh(inputs @ w1.T + b1) @ w2.T + b2
    return torch.nn.functional.cross_entropy(logits, labels)


def two_layer(parameters, inputs, targets):
    w, a = split(parameters, [(8, 6), (8,)])
    return ((torch.relu(inputs @ w.T) @ a - targets) ** 2).mean() / 2


def case(name, loss, size, inputs, targets, kind, out):
    parameters = torch.randn(size, requires_grad=True)
    direction = torch.randn(size)
    if name == "two-layer":
        w, _ = split(parameters, [(8, 6), (8,)])
        assert (inputs @ w.T).abs().min() > 1e-3
    value = loss(parameters, inputs, targets)
    (gradient,) = torch.autograd.grad(value, parameters, create_graph=True)
    (product,) = torch.autograd.grad(gradient @ direction, parameters)
    columns = {
        "parameters": parameters,
        "inputs": inputs,
        kind: targets,
        "direction": direction,
        "loss": value.reshape(1),
        "gradient": gradient,
        "product": product,
    }
    for what, numbers in columns.items():
        out.write(f"{name},{what}," + " ".join(repr(x) for x in numbers.detach().flatten().tolist()) + "\n")


def main():
    torch.manual_seed(32)
    with open(Path(__file__).parent / "hessian.csv", "w") as out:
        out.write("case,what,numbers\n")
        case("softmax", softmax, 7 * 5 + 4 * 7 + 7 + 4, torch.randn(9, 5), torch.randint(0, 4, (9,)), "labels", out)
        case("two-layer", two_layer, 8 * 6 + 8, torch.randn(10, 6), torch.randn(10), "targets", out)


main()

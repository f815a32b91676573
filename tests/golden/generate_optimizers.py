"""Writes optimizers.csv: where PyTorch's optimizers, schedules and gradient clipping end, in double precision.

Usage, from this folder: python generate_optimizers.py > optimizers.csv
Made with PyTorch 2.15.0, Python 3.11.

kind sgd: settings are learning rate, momentum, nesterov. adam: learning rate, beta1, beta2, epsilon, weight decay (0: Adam,
else AdamW). Values are the weights after `step` steps on the gradients of gradient(). kind step, cosine, linear: settings are
peak, factor or last fraction, steps; values are the learning rates of steps 0, 1, .... kind clip_norm, clip_values: settings
are the limit; values are the gradient of step `step`, clipped.
"""

import csv
import sys

import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, StepLR

N = 6


def gradient(step):
    """Of mixed sign and size, the same in every language: each operation is exact but the last."""
    return torch.tensor(
        [((i * 37 + step * 23 + 11) % 64 - 31.5) / 2.0 ** (i % 4) / 10.0 for i in range(N)], dtype=torch.float64
    )


def start():
    return torch.nn.Parameter(torch.tensor([(i * 29 % 16 - 7.5) / 4.0 for i in range(N)], dtype=torch.float64))


def optimizers():
    for rate, momentum, nesterov in [(0.1, 0.0, 0), (0.05, 0.9, 0), (0.05, 0.9, 1), (0.5, 0.3, 1)]:
        w = start()
        yield "sgd", (rate, momentum, nesterov), w, torch.optim.SGD([w], rate, momentum, nesterov=bool(nesterov))
    for rate, beta1, beta2, epsilon, decay in [
        (0.001, 0.9, 0.999, 1e-8, 0.0),
        (0.1, 0.0, 0.9, 1e-3, 0.0),
        (0.01, 0.9, 0.99, 1e-8, 0.1),
        (0.3, 0.5, 0.95, 1e-6, 0.5),
    ]:
        w = start()
        kind = torch.optim.AdamW if decay else torch.optim.Adam
        optimizer = kind([w], rate, (beta1, beta2), epsilon, weight_decay=decay)
        yield "adam", (rate, beta1, beta2, epsilon, decay), w, optimizer


def schedules():
    def on(make):
        optimizer = torch.optim.SGD([start()], 0.3)
        return optimizer, make(optimizer)

    yield "step", (0.3, 0.5, 7), on(lambda o: StepLR(o, 7, 0.5))
    yield "cosine", (0.3, 0.1, 25), on(lambda o: CosineAnnealingLR(o, 25, 0.3 * 0.1))
    yield "linear", (0.3, 0.2, 25), on(lambda o: LinearLR(o, 1.0, 0.2, 25))


def main():
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["kind", "settings", "step", "values"])

    def row(kind, settings, step, values):
        writer.writerow([kind, " ".join(map(repr, settings)), step, " ".join(repr(float(v)) for v in values)])

    for kind, settings, w, optimizer in optimizers():
        for step in range(1, 41):
            w.grad = gradient(step)
            optimizer.step()
            if step in (1, 2, 3, 10, 40):
                row(kind, settings, step, w.detach())
    for kind, settings, (optimizer, schedule) in schedules():
        rates = []
        for _ in range(26):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.step()
        row(kind, settings, 0, rates)
    for limit in (0.5, 2.0, 100.0):
        for step in (1, 2):
            w = start()
            w.grad = gradient(step)
            torch.nn.utils.clip_grad_norm_([w], limit)
            row("clip_norm", (limit,), step, w.grad)
            w.grad = gradient(step)
            torch.nn.utils.clip_grad_value_([w], limit)
            row("clip_values", (limit,), step, w.grad)


main()

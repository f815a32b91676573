"""Trains a network in PyTorch, an epoch for each line of input; see train.rs.

Arguments: data, optimizer, learning rate, batch, widths.
"""

import json
import sys
import time

try:
    import torch
except ImportError:
    print("missing", flush=True)
    sys.exit(0)

torch.set_num_threads(1)
torch.manual_seed(0)
data, kind, rate, batch = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
widths = [int(width) for width in sys.argv[5:]]
with open(data) as lines:
    rows = [[float(field) for field in line.split(",")] for line in lines]
inputs = torch.tensor([row[:-1] for row in rows])
labels = torch.tensor([int(row[-1]) for row in rows])

layers = []
for before, after in zip(widths, widths[1:]):
    layers += [torch.nn.Linear(before, after), torch.nn.ReLU()]
net = torch.nn.Sequential(*layers[:-1])
optimizer = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, rate),
    "momentum": lambda parameters: torch.optim.SGD(parameters, rate, momentum=0.9),
    "adam": lambda parameters: torch.optim.Adam(parameters, rate),
}[kind](net.parameters())
cross_entropy = torch.nn.CrossEntropyLoss()
print(torch.__version__, flush=True)

for _ in sys.stdin:
    started = time.perf_counter()
    total = 0.0
    order = torch.randperm(len(inputs))
    for first in range(0, len(inputs), batch):
        chosen = order[first : first + batch]
        optimizer.zero_grad()
        loss = cross_entropy(net(inputs[chosen]), labels[chosen])
        loss.backward()
        optimizer.step()
        total += loss.detach() * len(chosen)
    print(json.dumps({"seconds": time.perf_counter() - started, "loss": float(total) / len(inputs)}), flush=True)

"""Optima of problems under equality constraints by SciPy's SLSQP, written again from the books' formulas.

Made with NumPy 2.4.6, SciPy 1.17.1, Python 3.11; no random numbers. Writes sqp.csv: name, f, then x.
"""

import csv
import math
import pathlib

import numpy as np
from scipy.optimize import minimize

S = math.sqrt(2)

PROBLEMS = {
    "HS6": ([-1.2, 1], lambda x: (1 - x[0]) ** 2, lambda x: [10 * (x[1] - x[0] ** 2)]),
    "HS7": ([2, 2], lambda x: math.log(1 + x[0] ** 2) - x[1], lambda x: [(1 + x[0] ** 2) ** 2 + x[1] ** 2 - 4]),
    "HS27": (
        [2, 2, 2],
        lambda x: 0.01 * (x[0] - 1) ** 2 + (x[1] - x[0] ** 2) ** 2,
        lambda x: [x[0] + x[2] ** 2 + 1],
    ),
    "HS40": (
        [0.8] * 4,
        lambda x: -x[0] * x[1] * x[2] * x[3],
        lambda x: [x[0] ** 3 + x[1] ** 2 - 1, x[0] ** 2 * x[3] - x[2], x[3] ** 2 - x[1]],
    ),
    "HS42": (
        [1] * 4,
        lambda x: sum((x[i] - i - 1) ** 2 for i in range(4)),
        lambda x: [x[0] - 2, x[2] ** 2 + x[3] ** 2 - 2],
    ),
    "HS77": (
        [2] * 5,
        lambda x: (x[0] - 1) ** 2 + (x[0] - x[1]) ** 2 + (x[2] - 1) ** 2 + (x[3] - 1) ** 4 + (x[4] - 1) ** 6,
        lambda x: [
            x[0] ** 2 * x[3] + math.sin(x[3] - x[4]) - 2 * S,
            x[1] + x[2] ** 4 * x[3] ** 2 - 8 - S,
        ],
    ),
    "HS78": (
        [-2, 1.5, 2, -1, -1],
        lambda x: float(np.prod(x)),
        lambda x: [float(np.dot(x, x)) - 10, x[1] * x[2] - 5 * x[3] * x[4], x[0] ** 3 + x[1] ** 3 + 1],
    ),
    "HS79": (
        [2] * 5,
        lambda x: (x[0] - 1) ** 2
        + (x[0] - x[1]) ** 2
        + (x[1] - x[2]) ** 2
        + (x[2] - x[3]) ** 4
        + (x[3] - x[4]) ** 4,
        lambda x: [
            x[0] + x[1] ** 2 + x[2] ** 3 - 2 - 3 * S,
            x[1] - x[2] ** 2 + x[3] + 2 - 2 * S,
            x[0] * x[4] - 2,
        ],
    ),
    "HS100LNP": (
        [1, 2, 0, 4, 0, 1, 1],
        lambda x: (x[0] - 10) ** 2
        + 5 * (x[1] - 12) ** 2
        + x[2] ** 4
        + 3 * (x[3] - 11) ** 2
        + 10 * x[4] ** 6
        + 7 * x[5] ** 2
        + x[6] ** 4
        - 4 * x[5] * x[6]
        - 10 * x[5]
        - 8 * x[6],
        lambda x: [
            127 - 2 * x[0] ** 2 - 3 * x[1] ** 4 - x[2] - 4 * x[3] ** 2 - 5 * x[4],
            -4 * x[0] ** 2 - x[1] ** 2 + 3 * x[0] * x[1] - 2 * x[2] ** 2 - 5 * x[5] + 11 * x[6],
        ],
    ),
    "BT5": (
        [2] * 3,
        lambda x: 1000 - x[0] ** 2 - 2 * x[1] ** 2 - x[2] ** 2 - x[0] * x[1] - x[0] * x[2],
        lambda x: [float(np.dot(x, x)) - 25, 8 * x[0] + 14 * x[1] + 7 * x[2] - 56],
    ),
    "BT12": (
        [15.811, 1.5811, 0, 15.083, 3.7164],
        lambda x: 0.01 * x[0] ** 2 + x[1] ** 2,
        lambda x: [
            x[0] + x[1] - x[2] ** 2 - 25,
            x[0] ** 2 + x[1] ** 2 - x[3] ** 2 - 25,
            x[0] - x[4] ** 2 - 2,
        ],
    ),
    "GENHS28": (
        [-4] + [1] * 9,
        lambda x: sum((x[i] + x[i + 1]) ** 2 for i in range(9)),
        lambda x: [x[i] + 2 * x[i + 1] + 3 * x[i + 2] - 1 for i in range(8)],
    ),
}


def main():
    with open(pathlib.Path(__file__).with_name("sqp.csv"), "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        for name, (start, objective, constraints) in PROBLEMS.items():
            result = minimize(
                objective,
                np.array(start, dtype=float),
                jac="3-point",
                method="SLSQP",
                constraints={"type": "eq", "fun": constraints},
                options={"ftol": 1e-14, "maxiter": 1000},
            )
            violation = float(np.linalg.norm(constraints(result.x)))
            print(name, result.status, result.fun, violation)
            assert violation < 1e-8, name
            writer.writerow([name, repr(float(result.fun)), *(repr(float(x)) for x in result.x)])


if __name__ == "__main__":
    main()

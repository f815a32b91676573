"""Writes descent.csv: optima by SciPy, in double precision.

Usage, from this folder: python generate_descent.py > descent.csv
Made with SciPy 1.17.1, NumPy 2.4.6, Python 3.11.7.

Fits (decay, growth, wave): least_squares(method="lm") of three parameters to noisy points; columns are t, y, start, optimum and
half the sum of squares. logistic: minimize(method="trust-exact") of the mean logistic loss; t is the data by columns, y the labels.
"""

import csv
import sys

import numpy as np
from scipy.optimize import least_squares, minimize
from scipy.special import expit

MODELS = {
    "decay": lambda x, t: x[0] * np.exp(-x[1] * t) + x[2],
    "growth": lambda x, t: x[0] * expit(x[1] * (t - x[2])),
    "wave": lambda x, t: x[0] * np.sin(x[1] * t + x[2]),
}
TRUE = {"decay": [2.0, 1.3, 0.5], "growth": [3.0, 2.0, 1.5], "wave": [1.5, 2.2, 0.3]}
START = {"decay": [1.0, 1.0, 0.0], "growth": [1.0, 1.0, 1.0], "wave": [1.0, 2.0, 0.0]}


def row(values):
    return " ".join(repr(float(value)) for value in np.ravel(values))


def main():
    rng = np.random.default_rng(16)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["kind", "t", "y", "start", "optimum", "value"])
    for kind, model in MODELS.items():
        for noise in [0.0, 0.05, 0.3]:
            t = np.round(np.linspace(0.0, 3.0, 25), 3)
            y = np.round(model(TRUE[kind], t) + noise * rng.standard_normal(25), 6)
            fit = least_squares(
                lambda x: model(x, t) - y, START[kind], method="lm", xtol=1e-15, ftol=1e-15, gtol=1e-15, max_nfev=10000
            )
            writer.writerow([kind, row(t), row(y), row(START[kind]), row(fit.x), repr(float(fit.cost))])
    for n in [2, 5]:
        a = np.round(rng.standard_normal((40, n)), 3)
        y = np.where(a.sum(axis=1) + rng.standard_normal(40) > 0, 1.0, -1.0)
        value = lambda x: np.mean(np.logaddexp(0.0, -y * (a @ x)))
        gradient = lambda x: -a.T @ (y * expit(-y * (a @ x))) / 40
        hessian = lambda x: a.T @ (a * (expit(a @ x) * expit(-(a @ x)))[:, None]) / 40
        fit = minimize(value, np.zeros(n), jac=gradient, hess=hessian, method="trust-exact", options={"gtol": 1e-13})
        writer.writerow(["logistic", row(a.T), row(y), row(np.zeros(n)), row(fit.x), repr(float(fit.fun))])


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Golden minimizers of composite problems, in double precision.

Writes composite.csv beside itself: case, what, numbers separated by spaces. Made with scikit-learn 1.9.1, SciPy 1.17.1, NumPy 2.4.6,
Python 3.11:

    python3 -m venv venv && venv/bin/pip install numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1
    venv/bin/python generate_composite.py

lasso: min |Ax - b|^2/2 + weight |x|_1, A 12x8 by columns; scikit-learn takes the mean of the squares, hence its alpha is weight/12.
linear: min c.x, Ax <= b, x >= 0, A 6x5 by columns, by HiGHS.
"""

from pathlib import Path

import numpy
from scipy.optimize import linprog
from sklearn.linear_model import Lasso

random = numpy.random.default_rng(30)


def lasso(out):
    for weight in (0.5, 2.0):
        a, b = random.standard_normal((12, 8)), random.standard_normal(12)
        model = Lasso(alpha=weight / 12, fit_intercept=False, tol=1e-15, max_iter=10**6).fit(a, b)
        x = model.coef_
        objective = ((a @ x - b) ** 2).sum() / 2 + weight * abs(x).sum()
        out("lasso", a=a.T, b=b, weight=[weight], x=x, objective=[objective])


def linear(out):
    a, b, c = random.uniform(0, 1, (6, 5)), random.uniform(1, 2, 6), -random.uniform(0.5, 1, 5)
    result = linprog(c, A_ub=a, b_ub=b, method="highs")
    assert result.status == 0
    out("linear", a=a.T, b=b, c=c, x=result.x, y=-result.ineqlin.marginals, objective=[result.fun])


def main():
    lines, count = [], 0

    def out(kind, **values):
        nonlocal count
        for what, numbers in values.items():
            lines.append(f"{kind}-{count},{what},{' '.join(repr(float(x)) for x in numpy.ravel(numbers))}\n")
        count += 1

    lasso(out)
    linear(out)
    (Path(__file__).parent / "composite.csv").write_text("".join(lines))


main()

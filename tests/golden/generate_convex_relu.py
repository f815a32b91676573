#!/usr/bin/env python3
"""Golden values of convex programs over the gates of rectified units, in double precision, by an interior-point method.

Writes convex_relu.csv beside itself: case, what, numbers separated by spaces. Made with cvxpy 1.9.3, Clarabel 0.11.1, NumPy 2.4.6,
Python 3.11:

    python3 -m venv venv && venv/bin/pip install numpy==2.4.6 cvxpy==1.9.3 clarabel==0.11.1
    venv/bin/python generate_convex_relu.py

squares: min |sum_i D_i X (v_i - w_i) - y|^2/2 + weight sum (|v_i| + |w_i|), (2 D_i - I) X v_i >= 0, the same of w; n = 12, d = 3.
hinge: the mean of the worst hinge losses on the box of a radius about every sample, the first features perturbed; n = 10, d = 3.
X lies by columns; a pattern is a word a sample bit; blocks are v, then w.
"""

from pathlib import Path

import cvxpy
import numpy

random = numpy.random.default_rng(30)


def patterns(x, count):
    awake = (x @ random.standard_normal((x.shape[1], count)) >= 0).T
    return numpy.unique(awake, axis=0)


def words(awake):
    return [sum(1 << k for k, on in enumerate(row) if on) for row in awake]


def blocks(awake, d):
    return [cvxpy.Variable(d) for _ in awake], [cvxpy.Variable(d) for _ in awake]


def solve(objective, constraints):
    problem = cvxpy.Problem(cvxpy.Minimize(objective), constraints)
    problem.solve(solver="CLARABEL", tol_gap_abs=1e-11, tol_gap_rel=1e-11, tol_feas=1e-11)
    assert problem.status == "optimal", problem.status
    return problem.value


def squares(out):
    for weight in (0.1, 1.0):
        x = numpy.hstack([random.standard_normal((12, 2)), numpy.ones((12, 1))])
        y = random.standard_normal(12)
        awake = patterns(x, 8)
        v, w = blocks(awake, 3)
        output = sum(cvxpy.multiply(d.astype(float), x @ (a - b)) for d, a, b in zip(awake, v, w))
        penalty = sum(cvxpy.norm(block, 2) for block in v + w)
        signs = 2.0 * awake - 1.0
        inside = [cvxpy.multiply(e, x @ block) >= 0 for half in (v, w) for e, block in zip(signs, half)]
        value = solve(cvxpy.sum_squares(output - y) / 2 + weight * penalty, inside)
        out("squares", x=x.T, y=y, patterns=words(awake), weight=[weight], output=output.value, value=[value])


def hinge(out):
    for radius, perturbed in ((0.0, 3), (0.05, 3), (0.1, 2)):
        x = numpy.hstack([random.uniform(-1, 1, (10, 2)), numpy.ones((10, 1))])
        y = numpy.sign(x[:, 0] * x[:, 1])
        awake = patterns(x, 10)
        v, w = blocks(awake, 3)
        losses = []
        for k in range(10):
            a = sum((a - b for d, a, b in zip(awake, v, w) if d[k]), numpy.zeros(3))
            losses.append(cvxpy.pos(1 - y[k] * (x[k] @ a) + radius * cvxpy.norm1((numpy.eye(3)[:perturbed]) @ a)))
        penalty = sum(cvxpy.norm(block, 2) for block in v + w)
        signs = 2.0 * awake - 1.0
        inside = [
            cvxpy.multiply(e, x @ block) >= radius * cvxpy.norm1(block[:perturbed])
            for half in (v, w)
            for e, block in zip(signs, half)
        ]
        value = solve(sum(losses) / 10 + 0.01 * penalty, inside)
        out("hinge", x=x.T, y=y, patterns=words(awake), weight=[0.01], radius=[radius], perturbed=[perturbed], value=[value])


def main():
    lines, count = [], 0

    def out(kind, **values):
        nonlocal count
        for what, numbers in values.items():
            lines.append(f"{kind}-{count},{what},{' '.join(repr(float(x)) for x in numpy.ravel(numbers))}\n")
        count += 1

    squares(out)
    hinge(out)
    (Path(__file__).parent / "convex_relu.csv").write_text("".join(lines))


main()

"""Writes separation.csv: matrices that separate tokens, by convex programming.

Usage, from this folder: python generate_separation.py > separation.csv
Made with CVXPY 1.9.3, Clarabel 0.11.1, NumPy 2.4.6, Python 3.11.7.

Constraints are left_c' W right_c >= 1; columns are d, left and right (a constraint after the other), the least Frobenius norm and the
least nuclear norm, both by Clarabel.
"""

import csv
import sys

import cvxpy as cp
import numpy as np


def row(values):
    return " ".join(repr(float(value)) for value in np.ravel(values))


def main():
    rng = np.random.default_rng(28)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["d", "left", "right", "frobenius", "nuclear"])
    for n, length, d in [(2, 3, 3), (3, 4, 4), (4, 4, 5), (3, 5, 6), (6, 8, 10)]:
        tokens = rng.standard_normal((n, length, d))
        tokens = np.round(tokens / np.linalg.norm(tokens, axis=2, keepdims=True), 6)
        queries = rng.standard_normal((n, d))
        queries = np.round(queries / np.linalg.norm(queries, axis=1, keepdims=True), 6)
        left = np.array([tokens[i, 0] - tokens[i, t] for i in range(n) for t in range(1, length)])
        right = np.array([queries[i] for i in range(n) for _ in range(1, length)])
        w = cp.Variable((d, d))
        constraints = [cp.sum(cp.multiply(left @ w, right), axis=1) >= 1]
        norms = []
        for norm in [cp.norm(w, "fro"), cp.norm(w, "nuc")]:
            problem = cp.Problem(cp.Minimize(norm), constraints)
            problem.solve(solver=cp.CLARABEL)
            assert problem.status == "optimal", problem.status
            norms.append(repr(float(problem.value)))
        writer.writerow([d, row(left), row(right), *norms])


if __name__ == "__main__":
    main()

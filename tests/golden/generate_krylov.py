"""Writes krylov.csv: iteration counts of SciPy's Krylov methods on the matrices of ../shared/data.

Usage, from this folder: python generate_krylov.py ../../../shared/data/matrices > krylov.csv
Made with SciPy 1.15.3, NumPy 2.4.6, Python 3.11.

b = A·1 but for least squares, where it is NAME_rhs.mtx or all ones. Stop: ||r|| <= 1e-8 ||b|| for the square ones.
cg, ic0-cg: scipy's cg. minres: scipy's minres, counted up to the first iterate whose residual meets the rule. gmres: scipy's gmres,
restart 30, inner iterations. lsqr: scipy's lsqr, atol = btol = 1e-12, conlim = 0.
low, high: the spread of the count under symmetric permutations of the matrix (for lsqr: of the rows and columns), which change nothing but
the rounding. An empty count: not met within the budget.
ic0-cg: an incomplete Cholesky factorization written here from its definition, (1 + shift) times the diagonal, shift 0 or the
first of 0.001 * 2**k for which every pivot is positive.
"""

import csv
import sys
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from scipy.io import mmread
from scipy.sparse.linalg import LinearOperator, cg, gmres, lsqr, minres, splu

RTOL = 1e-8
FOLDER = Path(sys.argv[1])


def permutations(n):
    """How many permutations are drawn: many where they are cheap, for the count of a hard matrix falls into several clusters."""
    return 60 if n < 500 else 6


class Done(Exception):
    pass


def count_cg(a, b, budget, m=None):
    steps = 0

    def callback(_):
        nonlocal steps
        steps += 1

    _, info = cg(a, b, rtol=RTOL, atol=0.0, maxiter=budget, M=m, callback=callback)
    return steps if info == 0 else None


def incomplete_cholesky(a, shift):
    """L by rows as dictionaries, or None where a pivot is not positive."""
    rows = []
    lower = sp.tril(a, format="csr")
    lower.sort_indices()
    for i in range(a.shape[0]):
        span = slice(lower.indptr[i], lower.indptr[i + 1])
        stored = dict(zip(lower.indices[span].tolist(), lower.data[span].tolist()))
        row = {}
        for j in sorted(stored):
            if j == i:
                break
            other = rows[j]
            total = stored[j]
            for k, value in row.items():
                if k in other:
                    total -= value * other[k]
            row[j] = total / other[j]
        pivot = (1.0 + shift) * stored.get(i, 0.0) - sum(value * value for value in row.values())
        if not pivot > 0.0:
            return None
        row[i] = pivot**0.5
        rows.append(row)
    data, indices, pointers = [], [], [0]
    for row in rows:
        indices.extend(row.keys())
        data.extend(row.values())
        pointers.append(len(indices))
    return sp.csr_matrix((data, indices, pointers), shape=a.shape)


def preconditioner(factor):
    """Application of the inverse of L L'; the triangular solves are exact ones without fill."""
    solver = splu(factor.tocsc(), permc_spec="NATURAL", diag_pivot_thresh=0.0)
    return LinearOperator(factor.shape, lambda r: solver.solve(solver.solve(r), trans="T"))


def count_minres(a, b, budget):
    steps = 0
    target = RTOL * np.linalg.norm(b)

    def callback(x):
        nonlocal steps
        steps += 1
        if np.linalg.norm(b - a @ x) <= target:
            raise Done

    try:
        minres(a, b, rtol=1e-18, maxiter=budget, callback=callback)
    except Done:
        return steps
    return None


def count_gmres(a, b, budget):
    steps = 0

    def callback(_):
        nonlocal steps
        steps += 1

    _, info = gmres(a, b, rtol=RTOL, atol=0.0, restart=30, maxiter=budget, callback=callback, callback_type="pr_norm")
    return steps if info == 0 else None


def count_lsqr(a, b, budget):
    result = lsqr(a, b, atol=1e-12, btol=1e-12, conlim=0.0, iter_lim=budget)
    return result[2] if result[1] in (1, 2) else None


def spread(count, a, b, symmetric=True):
    """The count, and its extremes over permutations."""
    random = np.random.default_rng(1)
    first = count(a, b)
    counts = [first]
    if first is not None:
        for _ in range(permutations(a.shape[0])):
            rows = random.permutation(a.shape[0])
            columns = rows if symmetric else random.permutation(a.shape[1])
            counts.append(count(a[rows][:, columns].tocsr(), b[rows]))
    known = [value for value in counts if value is not None]
    return first, min(known, default=None), max(known, default=None)


def main():
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["matrix", "method", "shift", "budget", "iterations", "low", "high"])

    def row(name, method, shift, budget, counts):
        writer.writerow([name, method, shift, budget, *("" if value is None else value for value in counts)])
        sys.stdout.flush()

    with open(FOLDER / "index.csv") as index:
        kinds = {line["file"].removesuffix(".mtx"): line["kind"] for line in csv.DictReader(index)}
    for name, kind in kinds.items():
        a = mmread(FOLDER / f"{name}.mtx").tocsr()
        n = a.shape[1]
        if kind == "spd":
            b = a @ np.ones(n)
            budget = 20 * n
            row(name, "cg", 0.0, budget, spread(lambda a, b: count_cg(a, b, budget), a, b))
            shift = 0.0
            while (factor := incomplete_cholesky(a, shift)) is None:
                shift = 0.001 if shift == 0.0 else 2.0 * shift
            first = count_cg(a, b, budget, preconditioner(factor))
            # A permutation before the factorization would change the preconditioner: permute A and L alike.
            counts = [first]
            random = np.random.default_rng(1)
            for _ in range(permutations(n) if first is not None else 0):
                p = random.permutation(n)
                inverse = np.argsort(p)
                m = preconditioner(factor)
                permuted = LinearOperator(a.shape, lambda r, m=m, p=p, inverse=inverse: m.matvec(r[inverse])[p])
                counts.append(count_cg(a[p][:, p].tocsr(), b[p], budget, permuted))
            known = [value for value in counts if value is not None]
            row(name, "ic0-cg", shift, budget, (first, min(known, default=None), max(known, default=None)))
        if kind.startswith("symmetric-indefinite") or name in ("bcsstk01", "nos3", "gr_30_30"):
            b = a @ np.ones(n)
            budget = 10 * n
            row(name, "minres", 0.0, budget, spread(lambda a, b: count_minres(a, b, budget), a, b))
        if kind == "nonsymmetric" and name in (
            "west0067", "bfwa62", "rdb200", "pyamg_recirc_flow", "pores_1", "arc130", "utm300", "fs_183_1",
        ):
            b = a @ np.ones(n)
            # scipy counts restarts
            budget = 100
            row(name, "gmres", 0.0, 30 * budget, spread(lambda a, b: count_gmres(a, b, budget), a, b))
        if kind == "least-squares":
            right = FOLDER / f"{name}_rhs.mtx"
            b = np.asarray(mmread(right)).ravel() if right.exists() else np.ones(a.shape[0])
            budget = 20 * n
            row(name, "lsqr", 0.0, budget, spread(lambda a, b: count_lsqr(a, b, budget), a, b, symmetric=False))


main()

"""Seconds an iteration of SciPy's conjugate gradients on the Poisson problem; side and iterations as arguments."""

import sys
import time

import numpy
import scipy
import scipy.sparse
from scipy.sparse.linalg import cg

side, iterations, repetitions = map(int, sys.argv[1:])
line = scipy.sparse.diags([-1.0, 2.0, -1.0], [-1, 0, 1], shape=(side, side))
eye = scipy.sparse.identity(side)
matrix = (scipy.sparse.kron(eye, line) + scipy.sparse.kron(line, eye)).tocsr()
b = numpy.ones(side * side)
best = float("inf")
for _ in range(repetitions):
    start = time.perf_counter()
    cg(matrix, b, rtol=0.0, maxiter=iterations)
    best = min(best, time.perf_counter() - start)
print(f"SciPy {scipy.__version__}")
print(best / iterations)

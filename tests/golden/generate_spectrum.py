"""Writes spectrum.csv: the largest eigenvalues of symmetric matrices of ../shared/data by SciPy's eigsh (ARPACK).

Usage, from this folder: python generate_spectrum.py ../../../shared/data/matrices > spectrum.csv
Made with SciPy 1.17.1, NumPy 2.4.6, Python 3.11.

Five eigenvalues a matrix, algebraically largest, descending, tol = 0 (machine precision), start vector of ones. `norm` is the
largest size of an eigenvalue, the scale of the rounding.
"""

import csv
import sys
from pathlib import Path

import numpy as np
from scipy.io import mmread
from scipy.sparse.linalg import eigsh

FOLDER = Path(sys.argv[1])
MATRICES = ["bcsstk01", "bcsstk02", "lund_a", "494_bus", "662_bus"]

writer = csv.writer(sys.stdout, lineterminator="\n")
writer.writerow(["matrix", "norm", "first", "second", "third", "fourth", "fifth"])
for name in MATRICES:
    matrix = mmread(FOLDER / f"{name}.mtx").tocsr().astype(float)
    start = np.ones(matrix.shape[0])
    values = np.sort(eigsh(matrix, k=5, which="LA", v0=start, tol=0)[0])[::-1]
    norm = abs(eigsh(matrix, k=1, which="LM", v0=start, tol=0)[0][0])
    writer.writerow([name, repr(float(norm))] + [repr(float(value)) for value in values])

"""OSQP and Clarabel on quadratic programs; a folder for their solutions, a tolerance, runs, a limit of seconds, and
.npz files as arguments. Prints a line of JSON a solve; x followed by the multipliers goes to a file."""

import json
import pathlib
import sys
import time

import clarabel
import numpy
import osqp
from scipy import sparse

out, tolerance, repetitions, limit = pathlib.Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])


def matrix(data, name):
    parts = (data[f"{name}_data"], data[f"{name}_indices"], data[f"{name}_indptr"])
    return sparse.csc_matrix(parts, shape=tuple(data[f"{name}_shape"]))


def by_osqp(p, q, a, lower, upper):
    solver = osqp.OSQP()
    solver.setup(
        sparse.triu(p, format="csc"), q, a, lower, upper, eps_abs=tolerance, eps_rel=tolerance, polishing=True,
        max_iter=10_000_000, time_limit=limit, verbose=False,
    )
    result = solver.solve()
    # Its own clock, which leaves the binding out.
    return result.info.run_time, result.x, result.y


def by_clarabel(p, q, a, lower, upper):
    equal = lower == upper
    above, below = numpy.isfinite(upper) & ~equal, numpy.isfinite(lower) & ~equal
    rows = sparse.vstack([a[equal], a[above], -a[below]], format="csc")
    bounds = numpy.concatenate([upper[equal], upper[above], -lower[below]])
    cones = [clarabel.ZeroConeT(int(equal.sum())), clarabel.NonnegativeConeT(int(above.sum() + below.sum()))]
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.time_limit = limit
    settings.max_threads = 1
    settings.tol_feas = settings.tol_gap_abs = settings.tol_gap_rel = tolerance
    quadratic = sparse.triu(p, format="csc")
    start = time.perf_counter()
    result = clarabel.DefaultSolver(quadratic, q, rows, bounds, cones, settings).solve()
    seconds = time.perf_counter() - start
    z = numpy.array(result.z)
    y = numpy.zeros(len(lower))
    first, second = int(equal.sum()), int(equal.sum() + above.sum())
    y[equal], y[above] = z[:first], z[first:second]
    y[below] -= z[second:]
    return seconds, numpy.array(result.x), y


for number, file in enumerate(sys.argv[5:]):
    data = numpy.load(file)
    p, a = matrix(data, "P"), matrix(data, "A").tocsr()
    q, lower, upper = (data[name].astype(float) for name in ("q", "l", "u"))
    for name, solve in [(f"OSQP {osqp.__version__}", by_osqp), (f"Clarabel {clarabel.__version__}", by_clarabel)]:
        columns = a.tocsc() if solve is by_osqp else a
        best, spent = None, 0.0
        for _ in range(repetitions):
            found = solve(p, q, columns, lower, upper)
            best = found if best is None or found[0] < best[0] else best
            spent += found[0]
            if spent > limit:
                break
        seconds, x, y = best
        values = out / f"{number}-{name.split()[0]}.npy"
        numpy.save(values, numpy.concatenate([x, y]).astype(float))
        print(json.dumps({"solver": name, "problem": number, "seconds": seconds, "values": str(values)}), flush=True)

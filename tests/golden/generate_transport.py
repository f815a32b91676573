"""Writes transport.csv: optimal transport by POT, and minima by SciPy.

POT 0.9.7, SciPy 1.17, NumPy 2.4. Costs and masses follow a rule in integers, so that only sizes and answers are
stored:
C[i, j] = ((i * 7919 + j * 104729 + i * j * 31) mod 1009) / 1009, a[i] ~ 1 + i * 37 mod 11, b[j] ~ 1 + j * 53 mod 7, both
divided by their sums.

Lines: kind, m, n, k, regularization, value, entries. Kinds:
- emd: the linear program's cost.
- quadratic: the semi-dual's maximum and the plan's cost, then every 97th entry of the plan (row-major).
- semidual: D and the row error at the potential alpha[i] = ((i * 17) mod 13) / 13, k nonzeros a column, then every 97th
  entry of that plan.
- sinkhorn: the cost.
- rosenbrock, softened: n, the minimum, the iterations of L-BFGS-B.
"""

import numpy as np
import ot
from ot.smooth import SquaredL2, SparsityConstrained, get_plan_from_semi_dual, semi_dual_obj_grad
from scipy.optimize import minimize

LINES = []


def problem(m, n):
    i, j = np.arange(m)[:, None], np.arange(n)[None, :]
    cost = ((i * 7919 + j * 104729 + i * j * 31) % 1009) / 1009.0
    a = 1.0 + (np.arange(m) * 37) % 11
    b = 1.0 + (np.arange(n) * 53) % 7
    return a / a.sum(), b / b.sum(), cost


def put(kind, m, n, k, reg, values, entries=()):
    LINES.append(",".join([kind, str(m), str(n), str(k), repr(reg)] + [repr(float(v)) for v in values]
                          + [repr(float(v)) for v in entries]))


for m, n in [(5, 7), (40, 30), (100, 120), (500, 400)]:
    a, b, cost = problem(m, n)
    put("emd", m, n, 0, 0.0, [ot.emd2(a, b, cost)])
    alpha = (np.arange(m) * 17 % 13) / 13.0
    for k in [1, 2, 5, m]:
        for reg in [0.5, 20.0]:
            regul = SquaredL2(reg) if k == m else SparsityConstrained(max_nz=k, gamma=reg)
            value, gradient = semi_dual_obj_grad(alpha.copy(), a, b, cost.copy(), regul)
            plan = get_plan_from_semi_dual(alpha.copy(), b, cost.copy(), regul)
            put("semidual", m, n, k, reg, [value, np.abs(gradient).sum()], plan.ravel()[::97])
    if m <= 40:
        for reg in [0.1, 10.0]:
            # POT's own solve stops at a row error of 1e-5: its function, minimized further.
            regul = SquaredL2(reg)

            def down(alpha):
                value, gradient = semi_dual_obj_grad(alpha, a, b, cost, regul)
                return -value, -gradient

            found = minimize(down, np.zeros(m), jac=True, method="L-BFGS-B",
                             options={"ftol": 0, "gtol": 1e-11, "maxiter": 20000, "maxfun": 40000, "maxcor": 50})
            plan = get_plan_from_semi_dual(found.x, b, cost, regul)
            assert np.abs(plan.sum(1) - a).sum() < 1e-7, (m, reg, np.abs(plan.sum(1) - a).sum())
            value = (plan * cost).sum() + reg / 2 * (plan**2).sum()
            put("quadratic", m, n, m, reg, [value, (plan * cost).sum()], plan.ravel()[::97])
        plan = ot.sinkhorn(a, b, cost, 0.05, method="sinkhorn_log", stopThr=1e-13, numItermax=100000)
        put("sinkhorn", m, n, 0, 0.05, [(plan * cost).sum()], plan.ravel()[::97])


def rosenbrock(x):
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def rosenbrock_gradient(x):
    g = np.zeros_like(x)
    g[:-1] = -400.0 * x[:-1] * (x[1:] - x[:-1] ** 2) - 2 * (1 - x[:-1])
    g[1:] += 200.0 * (x[1:] - x[:-1] ** 2)
    return g


def softened(x):
    d = 1.0 + np.arange(x.size) % 9
    c = np.cos(np.arange(x.size))
    return np.sum(d * np.sqrt(1 + (x - c) ** 2)) + 0.5 * np.sum((x[1:] - x[:-1]) ** 2)


def softened_gradient(x):
    d = 1.0 + np.arange(x.size) % 9
    c = np.cos(np.arange(x.size))
    g = d * (x - c) / np.sqrt(1 + (x - c) ** 2)
    g[1:] += x[1:] - x[:-1]
    g[:-1] -= x[1:] - x[:-1]
    return g


for name, f, gradient in [("rosenbrock", rosenbrock, rosenbrock_gradient), ("softened", softened, softened_gradient)]:
    for n in [2, 10, 100]:
        for upper in [np.inf, 0.5]:
            start = np.where(np.arange(n) % 2 == 0, -1.2, 0.4)
            found = minimize(f, start, jac=gradient, method="L-BFGS-B", bounds=[(-np.inf, upper)] * n,
                             options={"ftol": 0, "gtol": 1e-9, "maxiter": 5000, "maxfun": 20000})
            put(name, n, 0, 10, float(upper), [found.fun, found.nit], found.x[::13])

with open(__file__.replace("generate_transport.py", "transport.csv"), "w") as file:
    file.write("kind,m,n,k,regularization,values\n")
    file.write("\n".join(LINES) + "\n")

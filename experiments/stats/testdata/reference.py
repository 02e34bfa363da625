"""Figures of NumPy, SciPy and statsmodels that the package is compared with.

Run with Python 3.11 or later, NumPy, SciPy and statsmodels installed:

    python3 reference.py > reference.json

Every figure is computed here from single values, by another way than in the
package wherever there is one: regressions by statsmodels, integrals by
adaptive quadrature, intervals by solving for their bounds, variances from
linearised values.
"""

import json
import sys

import numpy as np
import scipy
import statsmodels
import statsmodels.api as sm
from scipy import integrate, optimize, stats

random = np.random.default_rng(20251103)
out = {"versions": {"numpy": np.__version__, "scipy": scipy.__version__, "statsmodels": statsmodels.__version__}}


def rounded(values, digits=3):
    return [round(float(v), digits) for v in values]


def welch(a, b, alternative="two-sided", alpha=0.05):
    """Estimate, standard error, p and interval from SciPy."""
    r = stats.ttest_ind(b, a, equal_var=False, alternative=alternative)
    ci = r.confidence_interval(1 - alpha)
    se = np.sqrt(np.var(a, ddof=1) / len(a) + np.var(b, ddof=1) / len(b))
    return {"estimate": np.mean(b) - np.mean(a), "standardError": se, "degrees": r.df, "p": r.pvalue,
            "lower": ci.low if np.isfinite(ci.low) else None, "upper": ci.high if np.isfinite(ci.high) else None}


def interval(estimate, variance, df, alpha=0.05):
    se = np.sqrt(variance)
    half = stats.t.ppf(1 - alpha / 2, df) * se
    return {"estimate": estimate, "standardError": se, "degrees": df, "p": 2 * stats.t.sf(abs(estimate / se), df),
            "lower": estimate - half, "upper": estimate + half}


def satterthwaite(variances, sizes):
    v, n = np.asarray(variances) / np.asarray(sizes), np.asarray(sizes)
    return v.sum() ** 2 / (v**2 / (n - 1)).sum()


def gradient(f, x, step=1e-6):
    """Central differences, so that no derivative is written down twice."""
    x = np.asarray(x, dtype=float)
    g = np.empty_like(x)
    for i in range(len(x)):
        h = step * max(1, abs(x[i]))
        up, down = x.copy(), x.copy()
        up[i] += h
        down[i] -= h
        g[i] = (f(up) - f(down)) / (2 * h)
    return g


# Two arms of 60 and 90 units: a skewed metric, two covariates, a count.
def arm(n, lift):
    x1 = random.lognormal(1, 0.6, n)
    x2 = random.normal(0, 1, n)
    y = 0.8 * x1 + 0.5 * x2 + random.lognormal(0.5, 0.7, n) + lift
    d = 1 + random.poisson(3, n)
    dp = 1 + random.poisson(3, n)
    m = d * (0.4 + 0.1 * random.normal(0, 1, n)) + 0.2 * x1
    mp = dp * (0.4 + 0.1 * random.normal(0, 1, n)) + 0.2 * x1
    hit = random.random(n) < 0.3 + 0.1 * lift
    return {"y": rounded(y), "x1": rounded(x1), "x2": rounded(x2), "m": rounded(m), "d": [int(v) for v in d],
            "mPre": rounded(mp), "dPre": [int(v) for v in dp], "hit": [int(v) for v in hit],
            "stratum": [int(v) for v in random.integers(0, 3, n) + (random.random(n) < 0.02) * 3]}


control, treatment = arm(60, 0), arm(90, 0.4)
out["control"], out["treatment"] = control, treatment
A = {k: np.array(v, dtype=float) for k, v in control.items()}
B = {k: np.array(v, dtype=float) for k, v in treatment.items()}

out["welch"] = {kind: welch(A["y"], B["y"], kind) for kind in ("two-sided", "greater", "less")}


# The lift as a share of control, and Fieller's interval by solving its pivot.
def lift(v):
    return (v[1] - v[0]) / abs(v[0])


means = [A["y"].mean(), B["y"].mean()]
variances = [A["y"].var(ddof=1) / 60, B["y"].var(ddof=1) / 90]
g = gradient(lift, means)
df = satterthwaite([A["y"].var(ddof=1), B["y"].var(ddof=1)], [60, 90])
out["relative"] = interval(lift(means), (g**2 * variances).sum(), df)
t = stats.t.ppf(0.975, df)


def pivot(rho):
    return (means[1] - rho * means[0]) ** 2 - t**2 * (variances[1] + rho**2 * variances[0])


middle = means[1] / means[0]
out["fieller"] = {"lower": optimize.brentq(pivot, middle - 2, middle, xtol=1e-14) - 1,
                  "upper": optimize.brentq(pivot, middle, middle + 2, xtol=1e-14) - 1}

# A ratio, by the linearised values.
ratio = {}
for name, s in (("a", A), ("b", B)):
    r = s["m"].sum() / s["d"].sum()
    ratio[name] = (s["m"] - r * s["d"]) / s["d"].mean() + r
out["ratio"] = welch(ratio["a"], ratio["b"])

# CUPED: the pooled slope, then Welch on the adjusted values.
x, y = np.r_[A["x1"], B["x1"]], np.r_[A["y"], B["y"]]
theta = stats.linregress(x, y).slope
out["cuped"] = welch(A["y"] - theta * A["x1"], B["y"] - theta * B["x1"])
out["cuped"]["theta"] = theta

# Several covariates: Lin's regression with interactions, by statsmodels. Its
# point estimate is that of slopes per arm.
z = np.r_[np.zeros(60), np.ones(90)]
X = np.c_[np.r_[A["x1"], B["x1"]], np.r_[A["x2"], B["x2"]]]
centred = X - X.mean(0)
design = np.c_[np.ones(150), z, centred, centred * z[:, None]]
out["lin"] = {"estimate": sm.OLS(y, design).fit().params[1],
              "slopesControl": sm.OLS(A["y"], sm.add_constant(X[:60])).fit().params[1:].tolist(),
              "slopesTreatment": sm.OLS(B["y"], sm.add_constant(X[60:])).fit().params[1:].tolist()}
slopes = (60 * np.array(out["lin"]["slopesTreatment"]) + 90 * np.array(out["lin"]["slopesControl"])) / 150
out["lin"].update(welch(A["y"] - X[:60] @ slopes, B["y"] - X[60:] @ slopes))

# CUPED of a ratio: linearise both ratios per arm; θ from the arms' variances
# and covariances added.
cov = var = 0.0
parts = []
for s in (A, B):
    r, rp = s["m"].sum() / s["d"].sum(), s["mPre"].sum() / s["dPre"].sum()
    now, before = (s["m"] - r * s["d"]) / s["d"].mean(), (s["mPre"] - rp * s["dPre"]) / s["dPre"].mean()
    cov += np.cov(now, before)[0, 1]
    var += before.var(ddof=1)
    parts.append((r, rp, now, before))
theta = cov / var
out["cupedRatio"] = welch(*[now - theta * before + r - theta * rp for r, rp, now, before in parts])


def stratified(strata, regress, relative, is_ratio):
    """Post-stratification from single values; OLS within strata by statsmodels."""
    names = ["m", "d"] if is_ratio else ["y"]
    covariates = ["mPre", "dPre"] if is_ratio else ["x1"]
    n = sum(len(a["y"]) + len(b["y"]) for a, b in strata)
    alphas, covariances, nus = [], [], []
    for a, b in strata:
        nk = len(a["y"]) + len(b["y"])
        alpha, k = [], len(names)
        cov = np.zeros((2 * k, 2 * k))
        if not regress:
            for o in names:
                alpha += [a[o].mean(), b[o].mean() - a[o].mean()]
            for i, o in enumerate(names):
                for j, q in enumerate(names):
                    va = np.cov(a[o], a[q])[0, 1] / len(a["y"])
                    vb = np.cov(b[o], b[q])[0, 1] / len(b["y"])
                    cov[2 * i:2 * i + 2, 2 * j:2 * j + 2] = [[va, -va], [-va, va + vb]]
        else:
            z = np.r_[np.zeros(len(a["y"])), np.ones(len(b["y"]))]
            X = np.column_stack([np.r_[a[c], b[c]] for c in covariates])
            D = np.c_[np.ones(nk), z, X]
            fits = [sm.OLS(np.r_[a[o], b[o]], D).fit() for o in names]
            Q = np.linalg.inv(D.T @ D)
            at = np.r_[1, 0, X.mean(0)]
            S = np.atleast_2d(np.cov(X.T)) / nk
            loss = 6 if is_ratio else 3
            for f in fits:
                alpha += [at @ f.params, f.params[1]]
            for i, f in enumerate(fits):
                for j, h in enumerate(fits):
                    sigma = f.resid @ h.resid / (nk - loss)
                    cc = sigma * (at @ Q @ at + np.trace(Q[2:, 2:] @ S)) + f.params[2:] @ S @ h.params[2:]
                    ce = sigma * (at @ Q)[1]
                    cov[2 * i:2 * i + 2, 2 * j:2 * j + 2] = [[cc, ce], [ce, sigma * Q[1, 1]]]
        alphas.append(alpha)
        covariances.append(cov * nk)
        nus.append(nk / n)
    alphas, nus = np.array(alphas).T, np.array(nus)
    total = alphas @ nus
    cov = alphas @ (np.diag(nus) - np.outer(nus, nus)) @ alphas.T / n + sum(v * c for v, c in zip(nus, covariances)) / n

    def effect(v):
        if is_ratio:
            ra, rb = v[0] / v[2], (v[0] + v[1]) / (v[2] + v[3])
        else:
            ra, rb = v[0], v[0] + v[1]
        return (rb - ra) / abs(ra) if relative else rb - ra

    g = gradient(effect, total)
    return {"estimate": effect(total), "standardError": np.sqrt(g @ cov @ g)}


def split(into):
    cells = []
    for s in into:
        pick = lambda arm: {k: v[np.isin(arm["stratum"], s)] for k, v in arm.items()}
        cells.append((pick(A), pick(B)))
    return cells


# Strata 3 and above are too small to stand alone; they go into the largest.
small = [s for s in range(6) if (A["stratum"] == s).sum() < 2 or (B["stratum"] == s).sum() < 2]
large = [s for s in range(6) if s not in small]
sizes = {s: (A["stratum"] == s).sum() + (B["stratum"] == s).sum() for s in large}
biggest = max(sizes, key=sizes.get)
cells = split([[s] + (small if s == biggest else []) for s in large])
out["strata"] = {"viable": len(large), "merged": len([s for s in small if (A["stratum"] == s).any() or (B["stratum"] == s).any()])}
for regress in (False, True):
    for relative in (False, True):
        for is_ratio in (False, True):
            key = ("ratio" if is_ratio else "mean") + ("Adjusted" if regress else "") + ("Relative" if relative else "Absolute")
            out["strata"][key] = stratified(cells, regress, relative, is_ratio)

# Quantiles, and the design effect of clusters.
values = A["y"]
grid = 60
half = stats.norm.ppf(0.975) * np.sqrt(0.25 * 0.75 / grid)
low, high = np.quantile(values, [0.25 - half, 0.25 + half])
out["quantile"] = {"value": np.quantile(values, 0.25), "lower": low, "upper": high,
                   "variance": 59 * ((high - low) / (2 * stats.norm.ppf(0.975))) ** 2}
units = [rounded(random.lognormal(random.normal(0, 0.5), 0.4, random.integers(1, 9))) for _ in range(80)]
events = np.concatenate(units)
n = len(events)
grid = 100 * 2 ** int(np.floor(np.log2(n / 100)))
half = stats.norm.ppf(0.975) * np.sqrt(0.25 / grid)
q, low, high = np.quantile(events, [0.5, 0.5 - half, 0.5 + half])
s = np.array([sum(v <= q for v in u) for u in units], dtype=float)
e = np.array([len(u) for u in units], dtype=float)
cluster = ((s - s.sum() / e.sum() * e) / e.mean()).var(ddof=1) / 80
out["clustered"] = {"units": units, "value": q, "n": n,
                    "variance": grid / n * (n - 1) * ((high - low) / (2 * stats.norm.ppf(0.975))) ** 2 * cluster / (0.25 / n)}

# Bayes: the posterior on a grid of quadrature, not by conjugacy.
est, se, m0, s0 = 0.03, 0.02, 0.01, 0.05
weight = lambda d: stats.norm.pdf(est, d, se) * stats.norm.pdf(d, m0, s0)
points = [0, est]
area = lambda f, lo=-1.0, hi=1.0: integrate.quad(lambda d: f(d) * weight(d), lo, hi, points=[p for p in points if lo < p < hi], epsabs=1e-15, epsrel=1e-13, limit=500)[0]
mass = area(lambda d: 1)
mu = area(lambda d: d) / mass
out["bayes"] = {"mean": mu, "standardError": np.sqrt(area(lambda d: (d - mu) ** 2) / mass), "chance": area(lambda d: 1, 0) / mass,
                "riskControl": area(lambda d: d, 0) / mass, "riskTreatment": -area(lambda d: d, -1.0, 0) / mass}
# E[max(0, Z − z)] far in the tail, where its two terms nearly cancel.
out["excess"] = [[z, integrate.quad(lambda v: v * stats.norm.pdf(v + z), 0, 40, epsabs=0, epsrel=1e-13, limit=500)[0]] for z in (-2.0, 0.0, 1.0, 3.9, 4.1, 6.0, 9.0, 20.0)]

# Interactions: a saturated regression with HC2 errors has s²/n per cell.
groups = [[rounded(random.lognormal(1 + 0.1 * i + 0.2 * k, 0.5, 40 + 10 * i + 5 * k)) for k in range(3)] for i in range(2)]
rows = [(v, i, k) for i, row in enumerate(groups) for k, cell in enumerate(row) for v in cell]
y = np.array([r[0] for r in rows])
I, K1, K2 = (np.array([float(f(r)) for r in rows]) for f in (lambda r: r[1] == 1, lambda r: r[2] == 1, lambda r: r[2] == 2))
fit = sm.OLS(y, np.c_[np.ones(len(y)), I, K1, K2, I * K1, I * K2]).fit(cov_type="HC2")
wald = fit.wald_test(np.eye(6)[4:], use_f=False, scalar=True)
out["interaction"] = {"cells": groups, "chiSquared": float(wald.statistic), "p": float(wald.pvalue),
                      "twoByTwo": interval(np.mean(groups[1][1]) - np.mean(groups[1][0]) - np.mean(groups[0][1]) + np.mean(groups[0][0]),
                                           sum(np.var(groups[i][k], ddof=1) / len(groups[i][k]) for i in (0, 1) for k in (0, 1)),
                                           satterthwaite([np.var(groups[i][k], ddof=1) for i in (0, 1) for k in (0, 1)],
                                                         [len(groups[i][k]) for i in (0, 1) for k in (0, 1)]))}
table = [[110, 95, 130], [87, 120, 99]]
chi = stats.chi2_contingency(table, correction=False)
out["independence"] = {"units": table, "chiSquared": chi.statistic, "degrees": chi.dof, "p": chi.pvalue}

# The best of several arms, also where one is a thousand times more precise.
best = []
for m, s in (([1.0, 1.2, 0.9], [0.3, 0.25, 0.4]), ([0.0, 0.1], [1.0, 0.001]), ([5.0, 5.0, 5.0, 4.0], [1.0, 0.1, 0.01, 2.0])):
    p = []
    for i in range(len(m)):
        f = lambda v: stats.norm.pdf(v, m[i], s[i]) * np.prod([stats.norm.cdf(v, m[j], s[j]) for j in range(len(m)) if j != i])
        cuts = sorted({m[i] + z * s[i] for z in np.arange(-9, 9.1, 1.5)} | {c for j in range(len(m)) for c in (m[j] + z * s[j] for z in np.arange(-9, 9.1, 1.5)) if abs(c - m[i]) < 9 * s[i]})
        p.append(sum(integrate.quad(f, lo, hi, epsabs=1e-15, epsrel=1e-12)[0] for lo, hi in zip(cuts, cuts[1:])))
    best.append({"means": m, "deviations": s, "probabilities": p})
out["best"] = best

out["skewness"] = stats.skew(A["y"])
pooled = np.r_[A["y"], B["y"], 0, 0, 0, 0]
out["cap"] = {"all": np.quantile(pooled, 0.95), "nonZero": np.quantile(pooled[pooled != 0], 0.95), "lower": np.quantile(pooled, 0.05)}

json.dump(out, sys.stdout, indent=1, default=float)

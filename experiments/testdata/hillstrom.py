"""Computes the figures of the Hillstrom data set that TestHillstromInDepth compares with.

    python3 hillstrom.py path/to/hillstrom.csv > hillstrom.json

Needs NumPy, SciPy, pandas and statsmodels. It works on the single rows, never on sums,
and shares nothing with the program.
"""

import json
import math
import sys

import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy import stats

data = pd.read_csv(sys.argv[1])
data["arm"] = data.segment.map({"No E-Mail": "none", "Mens E-Mail": "mens", "Womens E-Mail": "womens"})
out = {"cuped": {}, "regression": {}, "dimension": {}, "quantile": {}, "quantileEffect": {}, "skewness": {}, "alwaysValid": {}}


def welch(arm, control, ddof=1):
    """Difference of means with Welch's interval at 95 %."""
    va, vc = np.var(arm, ddof=ddof) / len(arm), np.var(control, ddof=ddof) / len(control)
    se = math.sqrt(va + vc)
    df = (va + vc) ** 2 / (va**2 / (len(arm) - 1) + vc**2 / (len(control) - 1))
    delta = arm.mean() - control.mean()
    half = stats.t.ppf(0.975, df) * se
    return {"estimate": delta, "lower": delta - half, "upper": delta + half, "standardError": se, "pValue": 2 * stats.t.sf(abs(delta / se), df)}


for metric in ["visit", "conversion", "spend"]:
    for name in ["mens", "womens"]:
        two = data[data.arm.isin(["none", name])]
        y, x, treated = two[metric].to_numpy(float), two.history.to_numpy(), (two.arm == name).to_numpy()
        # CUPED on the single values: the slope over both arms, then SciPy's own Welch test.
        adjusted = y - np.cov(y, x, ddof=1)[0, 1] / np.var(x, ddof=1) * x
        r = stats.ttest_ind(adjusted[treated], adjusted[~treated], equal_var=False)
        ci = r.confidence_interval(0.95)
        out["cuped"][f"{metric} {name}"] = {
            "estimate": adjusted[treated].mean() - adjusted[~treated].mean(), "lower": ci.low, "upper": ci.high,
            "standardError": (ci.high - ci.low) / 2 / stats.t.ppf(0.975, r.df), "pValue": r.pvalue}
        # By regression, which agrees but for terms of the order of 1/n.
        design = np.column_stack([np.ones(len(y)), treated, x - x.mean()])
        fit = sm.OLS(y, design).fit(cov_type="HC2")
        out["regression"][f"{metric} {name}"] = {"estimate": fit.params[1], "standardError": fit.bse[1]}
        # Waudby-Smith et al. 2021, eq. 9 and 161, with N* = 20,000 people of two arms.
        plain = welch(y[treated], y[~treated], 0 if metric != "spend" else 1)
        n, alpha, se = len(y), 0.05, plain["standardError"]
        rho2 = (-2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1)) / 20000
        half = se * math.sqrt(n) * math.sqrt(2 * (n * rho2 + 1) / (n * n * rho2) * math.log(math.sqrt(n * rho2 + 1) / alpha))
        out["alwaysValid"][f"{metric} {name}"] = {"lower": plain["estimate"] - half, "upper": plain["estimate"] + half}
for metric, ddof in [("visit", 0), ("spend", 1)]:
    for channel in ["Web", "Phone", "Multichannel"]:
        rows = data[data.channel == channel]
        for name in ["mens", "womens"]:
            arm, control = (rows[rows.arm == a][metric].to_numpy(float) for a in (name, "none"))
            out["dimension"][f"{metric} {name} {channel}"] = welch(arm, control, ddof) | {"units": len(arm)}
z = stats.norm.ppf(0.975)
arms = {}
for name in ["none", "mens", "womens"]:
    values = data[(data.arm == name) & (data.spend > 0)].spend.to_numpy()
    n, level = len(values), 0.5
    grid = 100
    while 2 * grid <= n:
        grid *= 2
    half = z * math.sqrt(level * (1 - level) / grid)
    low, high = np.quantile(values, [level - half, level + half])
    arms[name] = np.quantile(values, level), math.sqrt(grid / n * (n - 1) * ((high - low) / 2 / z) ** 2 / n)
    out["quantile"][name] = {"value": arms[name][0], "standardError": arms[name][1], "people": n}
    out["skewness"][name] = stats.skew(data[data.arm == name].spend.to_numpy())
for name in ["mens", "womens"]:
    out["quantileEffect"][name] = {"estimate": arms[name][0] - arms["none"][0], "standardError": math.hypot(arms[name][1], arms["none"][1])}
json.dump(out, sys.stdout, indent=1)
print()

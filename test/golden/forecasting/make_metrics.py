#!/usr/bin/env python3
"""Writes metrics.json: metrics of point, quantile and sample forecasts of one series, with and without missing values.

README.md documents the definitions and how to run it. Every metric is computed in float64 from values that are exact
in float32, in two ways if there are two: a value is written only if they agree to 1e-12.
"""

import json
import os
import platform

import numpy as np
import sklearn
from sklearn.metrics import mean_pinball_loss

HERE = os.path.dirname(os.path.abspath(__file__))
SEASON, TRAIN, HORIZON, SAMPLES = 4, 26, 7, 40
LEVELS = [0.1, 0.25, 0.5, 0.75, 0.9]


def exact(x):
    return np.round(np.asarray(x) * 2.0**6) / 2.0**6


random = np.random.RandomState(73)
cycle = 20 + 5 * np.sin(2 * np.pi * np.arange(TRAIN + HORIZON) / SEASON)
series = exact(cycle + random.normal(0, 2, TRAIN + HORIZON))
series[[TRAIN + 2, 5]] = 0
training, targets = series[:TRAIN], series[TRAIN:]
samples = exact(cycle[TRAIN:] + 1 + random.standard_t(3, (SAMPLES, HORIZON)) * 2)
samples[:, 2] = np.maximum(np.round(samples[:, 2] - 20), 0)
points = exact(np.median(samples, 0))
points[2] = 0
quantiles = exact(np.quantile(samples, LEVELS, axis=0))


def agree(a, b):
    assert np.allclose(a, b, rtol=1e-12, atol=1e-12), (a, b)
    return a


def crps_by_pairs(values, target):
    """E|X − y| − E|X − X′| / 2 for the empirical distribution of the samples (Gneiting and Raftery, 2007)."""
    return np.mean(np.abs(values - target)) - np.mean(np.abs(values[:, None] - values[None, :])) / 2


def crps_by_integral(values, target):
    """The integral of the squared difference of the two distribution functions."""
    edges = np.sort(np.append(values, target))
    below = np.searchsorted(np.sort(values), edges[:-1], side="right") / len(values)
    return np.sum((below - (edges[:-1] >= target)) ** 2 * np.diff(edges))


def fair_crps(values, target):
    """E|X − y| − E|X − X′| / 2, where X and X′ are different samples (Ferro, 2014)."""
    differences = np.abs(values[:, None] - values[None, :]).sum() / (len(values) * (len(values) - 1))
    return np.mean(np.abs(values - target)) - differences / 2


def metrics(training, targets):
    seasonal = training[SEASON:] - training[:-SEASON]
    seasonal = seasonal[~np.isnan(seasonal)]
    seen = ~np.isnan(targets)
    error = (targets - points)[seen]
    size = (np.abs(targets) + np.abs(points))[seen]
    pinball = [
        agree(
            float(np.mean(np.maximum(level * (targets - q)[seen], (level - 1) * (targets - q)[seen]))),
            float(mean_pinball_loss(targets[seen], q[seen], alpha=level)),
        )
        for level, q in zip(LEVELS, quantiles)
    ]
    pairs = list(zip(samples.T[seen], targets[seen]))
    crps = [agree(crps_by_pairs(values, target), crps_by_integral(values, target)) for values, target in pairs]
    fair = [fair_crps(values, target) for values, target in pairs]
    inside = (targets >= quantiles[0]) & (targets <= quantiles[-1])
    return {
        "maseScale": np.mean(np.abs(seasonal)),
        "rmsseScale": np.sqrt(np.mean(seasonal**2)),
        "mae": np.mean(np.abs(error)),
        "rmse": np.sqrt(np.mean(error**2)),
        "mase": np.mean(np.abs(error)) / np.mean(np.abs(seasonal)),
        "rmsse": np.sqrt(np.mean(error**2) / np.mean(seasonal**2)),
        "smape": 100 * np.mean(np.where(size == 0, 0, 2 * np.abs(error) / np.where(size == 0, 1, size))),
        "pinball": pinball,
        "crps": np.mean(crps),
        "fairCrps": np.mean(fair),
        "coverage80": np.mean(inside[seen]),
    }


def missing(x, at):
    result = x.copy()
    result[at] = np.nan
    return result


def stored(x):
    return [None if np.isnan(v) else float(v) for v in x]


def case(training, targets):
    return {"training": stored(training), "targets": stored(targets), "metrics": metrics(training, targets)}


content = {
    "source": {
        "script": "test/golden/forecasting/make_metrics.py",
        "numpy": np.__version__,
        "python": platform.python_version(),
        "sklearn": sklearn.__version__,
    },
    "season": SEASON,
    "levels": LEVELS,
    "points": points.tolist(),
    "quantiles": quantiles.tolist(),
    "samples": samples.tolist(),
    "complete": case(training, targets),
    "missing": case(missing(training, [0, 9, 25]), missing(targets, [1, 6])),
}
with open(os.path.join(HERE, "metrics.json"), "w", encoding="ascii") as f:
    f.write(json.dumps(content, separators=(",", ":"), allow_nan=False) + "\n")

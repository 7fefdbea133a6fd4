#!/usr/bin/env python3
"""Writes distributions.json: log-probabilities, gradients, quantiles and CRPS of the output distributions.

README.md documents the parameters and how to run it. Values are from SciPy in float64; PyTorch computes the same
log-probabilities (to 1e-9 relative) and their gradients. Inputs are exact in float32.
"""

import json
import os
import platform

import numpy as np
import scipy
import torch
from scipy import integrate, stats

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)

HERE = os.path.dirname(os.path.abspath(__file__))
LEVELS = [0.025, 0.1, 0.5, 0.9, 0.975]


def exact(rows):
    return np.asarray(rows, np.float32).astype(np.float64)


# value, mean, scale
NORMAL = exact(
    [[0, 0, 1], [1.5, -0.25, 2], [-3, 1, 0.125], [40, 0, 1], [1e-3, 0, 1e-3], [2500, 2450, 30], [0.1, 0.1, 1e4]]
)
# value, degrees of freedom, location, scale
STUDENT = exact(
    [[0, 3, 0, 1], [1.5, 2.125, -0.25, 2], [-3, 5, 1, 0.125], [40, 4, 0, 1]]
    + [[0.5, 1, 0, 2], [1.25, 1e4, 1, 0.5], [2500, 30, 2450, 30], [1e4, 2.5, 0, 1]]
)
# value, mean, dispersion
NEGATIVE_BINOMIAL = exact(
    [[0, 0.5, 0.25], [0, 4, 2], [3, 4, 2], [12, 10, 1], [7, 7, 1e-3], [1, 0.0625, 8]]
    + [[500, 450, 0.125], [20000, 18000, 0.03125], [250, 3, 0.5]]
)


def normal(p):
    return torch.distributions.Normal(p[1], p[2])


def student(p):
    return torch.distributions.StudentT(p[1], p[2], p[3])


def negative_binomial(p):
    count = 1 / p[2]
    return torch.distributions.NegativeBinomial(count, logits=torch.log(p[1] * p[2]))


def normal_reference(p):
    return stats.norm(p[1], p[2])


def student_reference(p):
    return stats.t(p[1], p[2], p[3])


def negative_binomial_reference(p):
    return stats.nbinom(1 / p[2], 1 / (1 + p[1] * p[2]))


def normal_crps(p):
    """The closed form of Gneiting and Raftery (2007), compared with the integral of its definition."""
    mean, scale = p[1], p[2]
    z = (p[0] - mean) / scale
    crps = scale * (z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / np.sqrt(np.pi))
    low, high = min(z, -12), max(z, 12)
    options = {"limit": 500, "epsabs": 1e-11}
    below = integrate.quad(lambda x: stats.norm.cdf(x) ** 2, low, z, points=[max(low, -12), min(z, 12)], **options)[0]
    above = integrate.quad(lambda x: stats.norm.sf(x) ** 2, z, high, **options)[0]
    assert abs(crps - scale * (below + above)) < 1e-7 * crps, (crps, scale * (below + above))
    return float(crps)


def cases(rows, names, create, reference, discrete, crps=None):
    result = []
    for row in rows:
        p = torch.tensor(row, requires_grad=True)
        log_probability = create(p).log_prob(p[0])
        log_probability.backward()
        distribution = reference(row)
        expected = float((distribution.logpmf if discrete else distribution.logpdf)(row[0]))
        difference = abs(log_probability.item() - expected)
        assert difference <= 1e-9 * max(1, abs(expected)), (row, log_probability.item(), expected)
        result.append(
            {
                **{name: float(v) for name, v in zip(names, row)},
                "logProbability": expected,
                "gradients": {name: float(g) for name, g in zip(names, p.grad) if not (discrete and name == "value")},
                "cumulative": float(distribution.cdf(row[0])),
                "quantiles": [float(v) for v in distribution.ppf(LEVELS)],
                "variance": None if not np.isfinite(distribution.var()) else float(distribution.var()),
                **({} if crps is None else {"crps": crps(row)}),
            }
        )
    return result


content = {
    "source": {
        "script": "test/golden/forecasting/make_distributions.py",
        "numpy": np.__version__,
        "python": platform.python_version(),
        "scipy": scipy.__version__,
        "torch": torch.__version__,
    },
    "levels": LEVELS,
    "normal": cases(NORMAL, ["value", "mean", "scale"], normal, normal_reference, False, normal_crps),
    "studentT": cases(STUDENT, ["value", "degreesOfFreedom", "location", "scale"], student, student_reference, False),
    "negativeBinomial": cases(
        NEGATIVE_BINOMIAL, ["value", "mean", "dispersion"], negative_binomial, negative_binomial_reference, True
    ),
}
with open(os.path.join(HERE, "distributions.json"), "w", encoding="ascii") as f:
    f.write(json.dumps(content, separators=(",", ":"), allow_nan=False) + "\n")

"""Writes forecasting.json: losses and gradients of PyTorch's distributions, quantiles of SciPy, ETS models of R.

Run with Python 3 with torch and scipy, and with R with the package forecast:
    python3 make_forecasting_golden.py
"""

import json
import subprocess
import os

import torch
from scipy import stats
from torch.distributions import NegativeBinomial, Normal, StudentT
from torch.nn.functional import softplus

torch.set_default_dtype(torch.float64)
torch.manual_seed(0)


def loss(distribution, outputs, targets, scales):
    """The parameters are those of src/forecasting/distributions.ts."""
    if distribution == "gaussian":
        return -Normal(outputs[:, 0], softplus(outputs[:, 1]) + 1e-3).log_prob(targets)
    if distribution == "studentT":
        deviation = softplus(outputs[:, 1]) + 1e-3
        return -StudentT(softplus(outputs[:, 2]) + 2.001, outputs[:, 0], deviation).log_prob(targets)
    mean = scales * (softplus(outputs[:, 0]) + 1e-3)
    r = softplus(outputs[:, 1]) + 0.01
    return -NegativeBinomial(r, logits=torch.log(mean) - torch.log(r)).log_prob(torch.round(targets * scales))


def case(name, size, counts=None):
    outputs = torch.randn(8, size) * 2
    scales = torch.tensor([1.0, 2, 4, 8, 1, 2, 40, 400])
    targets = torch.randn(8) * 2
    if counts is not None:
        targets = torch.tensor(counts) / scales
    outputs.requires_grad_(True)
    losses = loss(name, outputs, targets, scales)
    losses.sum().backward()
    return {
        "distribution": name,
        "outputs": outputs.tolist(),
        "targets": targets.tolist(),
        "scales": scales.tolist(),
        "losses": losses.tolist(),
        "gradient": outputs.grad.tolist(),
    }


levels = [0.001, 0.025, 0.1, 0.25, 0.5, 0.8, 0.9, 0.99]
quantiles = {
    "levels": levels,
    "normal": stats.norm.ppf(levels).tolist(),
    "student": [{"degrees": d, "values": stats.t.ppf(levels, d).tolist()} for d in (2.1, 3, 5.5, 30, 400)],
    "negativeBinomial": [
        {"mean": m, "r": r, "values": stats.nbinom.ppf(levels, r, r / (r + m)).tolist()}
        for m, r in ((0.3, 0.5), (4, 2), (50, 10), (3000, 5))
    ],
}

R = """
suppressMessages(library(forecast))
y <- AirPassengers
fit <- function(model, damped) {
  f <- ets(y, model = model, damped = damped)
  list(model = paste0(substr(model, 1, 2), if (damped) "d" else "", substr(model, 3, 3)),
       aicc = f$aicc, forecast = as.numeric(forecast(f, h = 12)$mean))
}
auto <- ets(y)
cat(jsonlite::toJSON(list(
  values = as.numeric(y),
  models = list(fit("ANN", FALSE), fit("AAN", FALSE), fit("AAA", FALSE), fit("MAM", FALSE), fit("MAM", TRUE)),
  chosen = list(method = auto$method, aicc = auto$aicc, forecast = as.numeric(forecast(auto, h = 12)$mean))
), auto_unbox = TRUE, digits = 10))
"""
golden = {
    "losses": [
        case("gaussian", 2),
        case("studentT", 3),
        case("negativeBinomial", 2, [0.0, 1, 2, 5, 0, 30, 100, 2000]),
    ],
    "quantiles": quantiles,
    "smoothing": json.loads(subprocess.run(["Rscript", "-e", R], check=True, capture_output=True, text=True).stdout),
}
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "forecasting.json"), "w") as file:
    json.dump(golden, file, indent=1)
    file.write("\n")

#!/usr/bin/env python3
"""Writes losses.json: PyTorch's cross-entropies with weights and label smoothing, and their gradients.

README.md documents how to run it. Everything is computed in float64 from values that are exact in float32.
"""

import json
import os
import platform

import numpy as np
import torch
from torch import nn

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)

HERE = os.path.dirname(os.path.abspath(__file__))
N, V, O = 7, 4, 3


def exact(x):
    return np.round(x * 2.0**12) / 2.0**12


random = np.random.RandomState(41)
logits = exact(random.normal(0, 2, (N, V)))
ids = random.randint(0, V, N)
ids[[1, 4]] = -100
binary_logits = exact(random.normal(0, 3, (N, O)))
binary_logits[0, :2] = [40, -40]
binary_targets = exact(random.uniform(0, 1, (N, O)))
binary_targets[:3] = random.randint(0, 2, (3, O))


def flat(x):
    return [float(v) + 0.0 for v in x.detach().numpy().reshape(-1)]


def run(create, x, targets):
    """The loss per target, their mean, and the gradient of the mean."""
    values = torch.tensor(x, requires_grad=True)
    mean = create("mean")(values, torch.tensor(targets))
    mean.backward()
    losses = create("none")(torch.tensor(x), torch.tensor(targets))
    return {"losses": flat(losses), "mean": mean.item(), "gradient": flat(values.grad)}


def cross_entropy(weights, smoothing):
    weight = None if weights is None else torch.tensor(weights)
    result = run(lambda reduction: nn.CrossEntropyLoss(weight, label_smoothing=smoothing, reduction=reduction), logits, ids)
    return {"options": {**({} if weights is None else {"classWeights": weights}), "labelSmoothing": smoothing}, **result}


def binary(weight):
    result = run(lambda reduction: nn.BCEWithLogitsLoss(pos_weight=torch.tensor(weight), reduction=reduction), binary_logits, binary_targets)
    return {"options": {"positiveWeight": weight}, **result}


content = {
    "source": {"script": "test/golden/make_losses_golden.py", "numpy": np.__version__, "python": platform.python_version(), "torch": torch.__version__},
    "logits": logits.tolist(),
    "ids": ids.tolist(),
    "crossEntropy": [
        cross_entropy(None, 0.0),
        cross_entropy(None, 0.1),
        cross_entropy([1.0, 0.5, 2.0, 3.0], 0.0),
        cross_entropy([1.0, 0.5, 2.0, 3.0], 0.25),
        # Targets of a class of weight 0 still count in the smoothing.
        cross_entropy([1.0, 0.0, 2.0, 0.0], 0.25),
        cross_entropy(None, 1.0),
    ],
    "binaryLogits": binary_logits.tolist(),
    "binaryTargets": binary_targets.tolist(),
    "binary": [binary(1.0), binary(2.5), binary([0.5, 1.0, 4.0])],
}
with open(os.path.join(HERE, "losses.json"), "w", encoding="ascii") as f:
    f.write(json.dumps(content, separators=(",", ":"), allow_nan=False) + "\n")

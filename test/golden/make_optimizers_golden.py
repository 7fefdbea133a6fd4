#!/usr/bin/env python3
"""Writes optimizers.json: the parameters after updates with PyTorch's optimizers, and learning rates on plateaus.

README.md documents how to run it. Everything is computed in float64 from values that are exact in float32.
"""

import json
import os
import platform

import numpy as np
import torch

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)

HERE = os.path.dirname(os.path.abspath(__file__))
UPDATES, SIZE = 60, 6
KEPT = [0, 1, 9, 29, 59]


def exact(x):
    return np.round(x * 2.0**16) / 2.0**16


random = np.random.RandomState(31)
initial = exact(random.uniform(-1, 1, SIZE))
# The elements differ in scale and mean. The gradient of the last one is large at first and then small, so that the
# largest moving average of its square is not the current one.
gradients = random.normal(0, 1, (UPDATES, SIZE)) * [1, 0.1, 0.01, 1, 0.5, 1] + [0, 0.05, 0, 1, -0.25, 0]
gradients[:, 5] *= np.where(np.arange(UPDATES) < 5, 4, 0.1)
gradients = exact(gradients)


def run(create):
    parameter = torch.nn.Parameter(torch.tensor(initial))
    optimizer = create([parameter])
    kept = []
    for update in range(UPDATES):
        parameter.grad = torch.tensor(gradients[update])
        optimizer.step()
        if update in KEPT:
            kept.append(parameter.detach().numpy().tolist())
    return kept


def plateau(losses, **options):
    """The learning rate after every validation loss, from 0.5."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 0.5)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, eps=0, **options)
    rates = []
    for loss in losses:
        scheduler.step(loss)
        rates.append(optimizer.param_groups[0]["lr"])
    names = {"min_lr": "minRate"}
    return {"options": {names.get(name, name): value for name, value in options.items()}, "losses": losses, "rates": rates}


# Losses that decrease in steps, with noise, and rise in between.
noise = random.uniform(0, 0.02, 50)
losses = [round(float(max(0.2, 2 - 0.5 * (i // 8)) + (0.3 if i % 11 == 0 else 0) + noise[i]), 4) for i in range(50)]

optim = torch.optim
content = {
    "source": {"script": "test/golden/make_optimizers_golden.py", "numpy": np.__version__, "python": platform.python_version(), "torch": torch.__version__},
    "initial": initial.tolist(),
    "gradients": gradients.tolist(),
    "kept": KEPT,
    "parameters": {
        "sgd": run(lambda p: optim.SGD(p, 0.05, momentum=0.9, nesterov=True)),
        "rmsprop": run(lambda p: optim.RMSprop(p, 0.01, alpha=0.9, eps=1e-6)),
        "rmsprop with momentum": run(lambda p: optim.RMSprop(p, 0.01, alpha=0.95, eps=1e-6, momentum=0.8)),
        "rmsprop, centered": run(lambda p: optim.RMSprop(p, 0.01, alpha=0.95, eps=1e-3, centered=True)),
        "rmsprop, centered, with momentum": run(lambda p: optim.RMSprop(p, 0.01, alpha=0.95, eps=1e-3, centered=True, momentum=0.8)),
        "adagrad": run(lambda p: optim.Adagrad(p, 0.1, eps=1e-10)),
        "adagrad with an initial accumulator": run(lambda p: optim.Adagrad(p, 0.1, initial_accumulator_value=0.5, eps=1e-6)),
        "adam": run(lambda p: optim.Adam(p, 0.02, betas=(0.8, 0.95), eps=1e-6)),
        "adamw": run(lambda p: optim.AdamW(p, 0.02, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1)),
        "amsgrad": run(lambda p: optim.Adam(p, 0.02, betas=(0.8, 0.95), eps=1e-6, amsgrad=True)),
        # The single-tensor NAdam of PyTorch 1.13 has one momentum too many in a product; foreach=True and later versions do not.
        "nadam": run(lambda p: optim.NAdam(p, 0.02, betas=(0.8, 0.95), eps=1e-6, momentum_decay=0.01, foreach=True)),
        "nadam with the default options": run(lambda p: optim.NAdam(p, foreach=True)),
    },
    "plateaus": [
        plateau(losses, patience=2),
        plateau(losses, factor=0.5, patience=0),
        plateau(losses, factor=0.5, patience=1, cooldown=3),
        plateau(losses, factor=0.3, patience=2, threshold=0.02),
        plateau(losses, factor=0.3, patience=1, min_lr=0.02),
        plateau([1.0] * 25),
    ],
}
with open(os.path.join(HERE, "optimizers.json"), "w", encoding="ascii") as f:
    f.write(json.dumps(content, separators=(",", ":"), allow_nan=False) + "\n")

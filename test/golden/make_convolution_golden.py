#!/usr/bin/env python3
"""Writes convolution.json: Conv1d, pooling and BatchNorm1d in PyTorch.

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
T, B, I = 11, 3, 6


def uniform(random, *shape):
    x = np.round(random.uniform(-0.7, 0.7, shape) * 2.0**16) / 2.0**16
    return torch.tensor(x)


def stored(x):
    x = x.detach().numpy()
    return {"shape": list(x.shape), "data": [float(v) + 0.0 for v in x.reshape(-1)]}


def channels(x):
    """[T, B, I] as [B, I, T], the layout of PyTorch."""
    return x.permute(1, 2, 0)


def steps(y):
    return y.permute(2, 0, 1)


def run(seed, module, size=I):
    """The state_dict, outputs, and gradients of sum(outputs * weights)."""
    random = np.random.default_rng(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(uniform(random, *parameter.shape))
    state = {name: stored(value.clone()) for name, value in module.state_dict().items()}
    x = uniform(random, T, B, size).requires_grad_()
    y = steps(module(channels(x)))
    w = uniform(random, *y.shape)
    (y * w).sum().backward()
    return {
        "state": state,
        "xs": stored(x),
        "weights": stored(w),
        "outputs": stored(y),
        "dXs": stored(x.grad),
        "gradients": {name: stored(parameter.grad) for name, parameter in module.named_parameters()},
        "after": {name: stored(value) for name, value in module.state_dict().items() if value.is_floating_point()},
    }


conv, pool = torch.nn.Conv1d, torch.nn.functional
content = {
    "source": {"script": "test/golden/make_convolution_golden.py", "numpy": np.__version__, "python": platform.python_version(), "torch": torch.__version__},
    "conv": [
        {"options": options, **run(31 + i, conv(size, 4 if options.get("groups", 1) == 1 else 2 * size, 3, **options), size)}
        for i, (size, options) in enumerate([
            (I, {}),
            (I, {"padding": 1, "stride": 2}),
            (I, {"dilation": 2, "padding": 3}),
            (I, {"groups": 3, "bias": False}),
            (40, {"padding": 2, "stride": 3, "dilation": 2}),
        ])
    ],
    "depthwise": run(41, conv(I, I, 3, groups=I, padding=1)),
    "maxPool": run(42, torch.nn.MaxPool1d(3, stride=2, padding=1)),
    "averagePool": run(43, torch.nn.AvgPool1d(3, stride=2, padding=1, count_include_pad=False)),
    "batchNorm": run(44, torch.nn.BatchNorm1d(I, eps=1e-3, momentum=0.25)),
}
with open(os.path.join(HERE, "convolution.json"), "w", encoding="ascii") as f:
    f.write(json.dumps(content, separators=(",", ":"), allow_nan=False) + "\n")

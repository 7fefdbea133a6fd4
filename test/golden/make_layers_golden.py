#!/usr/bin/env python3
"""Writes layers.json: LSTM with projection, bidirectional LSTM, layer normalization and scaled dot-product attention in PyTorch.

README.md documents how to run it. Everything is computed in float64 from values that are exact in float32.
"""

import json
import os
import platform

import numpy as np
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)

HERE = os.path.dirname(os.path.abspath(__file__))
T, B, I, H, P = 6, 3, 5, 4, 2
LENGTHS = [6, 2, 4]


def uniform(random, *shape):
    x = np.round(random.uniform(-0.7, 0.7, shape) * 2.0**16) / 2.0**16
    return torch.tensor(x)


def stored(x):
    x = x.detach().numpy()
    return {"shape": list(x.shape), "data": [float(v) + 0.0 for v in x.reshape(-1)]}


def fill(module, random):
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(uniform(random, *parameter.shape))


def cell(module, suffix):
    get = lambda name: getattr(module, name + suffix)
    own = {"weightIh": get("weight_ih_l0").T, "weightHh": get("weight_hh_l0").T, "bias": get("bias_ih_l0") + get("bias_hh_l0")}
    return {**own, "weightHr": get("weight_hr_l0").T} if module.proj_size else own


def gradients(module, suffix):
    get = lambda name: getattr(module, name + suffix).grad
    own = {"weightIh": get("weight_ih_l0").T, "weightHh": get("weight_hh_l0").T, "bias": get("bias_ih_l0")}
    return {**own, "weightHr": get("weight_hr_l0").T} if module.proj_size else own


def tree(x):
    return {k: tree(v) for k, v in x.items()} if isinstance(x, dict) else stored(x)


def recurrent(seed, **options):
    """Outputs, final states and gradients of sum(outputs * w) for sequences of different lengths."""
    random = np.random.default_rng(seed)
    module = torch.nn.LSTM(I, H, **options)
    fill(module, random)
    x = uniform(random, T, B, I).requires_grad_()
    packed, (h, c) = module(pack_padded_sequence(x, LENGTHS, enforce_sorted=False))
    outputs, _ = pad_packed_sequence(packed, total_length=T)
    w = uniform(random, *outputs.shape)
    (outputs * w).sum().backward()
    suffixes = {"forward": "", "reverse": "_reverse"} if module.bidirectional else {"forward": ""}
    return tree({
        "parameters": {name: cell(module, suffix) for name, suffix in suffixes.items()}, "xs": x, "weights": w, "outputs": outputs, "h": h, "c": c,
        "gradients": {name: gradients(module, suffix) for name, suffix in suffixes.items()}, "dXs": x.grad,
    })


def normalization(seed):
    random = np.random.default_rng(seed)
    module = torch.nn.LayerNorm(I)
    fill(module, random)
    x = (uniform(random, T, B, I) * 4 + 1).requires_grad_()
    y = module(x)
    w = uniform(random, *y.shape)
    (y * w).sum().backward()
    return tree({"gain": module.weight, "bias": module.bias, "xs": x, "weights": w, "outputs": y, "dGain": module.weight.grad, "dBias": module.bias.grad, "dXs": x.grad})


def attention(seed):
    """Multi-head attention with one head and identity projections, which is scaled dot-product attention."""
    random = np.random.default_rng(seed)
    module = torch.nn.MultiheadAttention(H, 1, bias=False)
    with torch.no_grad():
        module.in_proj_weight.copy_(torch.eye(H).repeat(3, 1))
        module.out_proj.weight.copy_(torch.eye(H))
    states = (uniform(random, T, B, H) * 2).requires_grad_()
    queries = (uniform(random, 2, B, H) * 2).requires_grad_()
    outside = torch.arange(T)[None] >= torch.tensor(LENGTHS)[:, None]
    context, weights = module(queries, states, states, key_padding_mask=outside)
    w = uniform(random, *context.shape)
    (context * w).sum().backward()
    return tree({"states": states, "queries": queries, "weights": w, "context": context, "attention": weights.transpose(0, 1), "dStates": states.grad, "dQueries": queries.grad})


content = {
    "source": {"script": "test/golden/make_layers_golden.py", "numpy": np.__version__, "python": platform.python_version(), "torch": torch.__version__},
    "lengths": LENGTHS,
    "projected": recurrent(21, proj_size=P),
    "bidirectional": recurrent(22, bidirectional=True),
    "normalization": normalization(23),
    "attention": attention(24),
}
with open(os.path.join(HERE, "layers.json"), "w", encoding="ascii") as f:
    f.write(json.dumps(content, separators=(",", ":"), allow_nan=False) + "\n")

#!/usr/bin/env python3
"""Writes encoder-decoder.json: losses and greedy searches of encoder-decoders of PyTorch modules.

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
V, E = 6, 3
START, END = 0, 1
PAIRS = [([2, 3, 4, 5], [3, 2, END]), ([4, 2], [5, 3, 2, 4, END]), ([5, 5, 3], [2, END])]
LONGEST = 6


def stored(x):
    x = x.detach().numpy()
    return {"shape": list(x.shape), "data": [float(v) + 0.0 for v in x.reshape(-1)]}


def fill(module, random):
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.tensor(np.round(random.uniform(-1.2, 1.2, parameter.shape) * 2.0**16) / 2.0**16))


def recurrent_parameters(module, suffix=""):
    """The parameters of a layer of nn.LSTM or nn.GRU, or of a cell, in the layout of bptt."""
    get = lambda name: getattr(module, name + suffix)
    own = {"weightIh": get("weight_ih").T, "weightHh": get("weight_hh").T}
    if getattr(module, "proj_size", 0):
        own["weightHr"] = get("weight_hr").T
    b, c = get("bias_ih"), get("bias_hh")
    if not isinstance(module, (nn.GRU, nn.GRUCell)):
        return {**own, "bias": b + c}
    n = 2 * module.hidden_size
    return {**own, "bias": torch.cat([b[:n] + c[:n], b[n:]]), "biasHn": c[n:]}


def linear_parameters(module):
    return {"weight": module.weight.T, "bias": module.bias}


def named(prefix, parameters):
    return {f"{prefix}.{name}": value for name, value in parameters.items()}


class Model(nn.Module):
    """`encoder` are the names of the modules after the embedding, in order."""

    def __init__(self, encoder, sizes, cell, hidden, layers, score, feeds):
        super().__init__()
        self.embedding = nn.Embedding(V, E)
        self.encoder = nn.ModuleDict(encoder)
        self.sizes, self.score, self.feeds = sizes, score, feeds
        states = sizes["h"]
        self.target = nn.Embedding(V, E)
        self.cells = nn.ModuleList([cell((E + hidden if feeds else E) if i == 0 else hidden, hidden) for i in range(layers)])
        self.names = ["h", "c"] if cell is nn.LSTMCell else ["h"]
        self.bridge = nn.ModuleDict()
        for name in self.names:
            if sizes.get(name, states) != hidden:
                for i in range(layers):
                    self.bridge[f"layer{i + 1}/{name}"] = nn.Linear(sizes.get(name, states), hidden)
        if score == "general":
            self.general = nn.Linear(hidden, states, bias=False)
        if score == "additive":
            self.query, self.state, self.vector = nn.Linear(hidden, 4, bias=False), nn.Linear(states, 4), nn.Linear(4, 1, bias=False)
        if score:
            self.combine = nn.Linear(states + hidden, hidden)
        self.output = nn.Linear(hidden, V)

    def encode(self, source):
        """The states [S, H] and the final state of the last recurrent layer, both directions in one vector."""
        x = self.embedding(torch.tensor(source))[:, None]
        for module in self.encoder.values():
            x, final = module(x)
        final = final if isinstance(final, tuple) else (final,)
        return x[:, 0], dict(zip(["h", "c"], [part.reshape(1, -1) for part in final]))

    def begin(self, final):
        hidden = self.cells[0].hidden_size
        state = []
        for i in range(len(self.cells)):
            parts = []
            for name in self.names:
                part = final.get(name, final["h"])
                key = f"layer{i + 1}/{name}"
                parts.append(torch.tanh(self.bridge[key](part)) if key in self.bridge else part)
            state.append(parts)
        return state, torch.zeros(1, hidden)

    def step(self, id, states, state, attentional):
        x = self.target(torch.tensor([id]))
        if self.feeds:
            x = torch.cat([x, attentional], 1)
        after = []
        for cell, parts in zip(self.cells, state):
            parts = cell(x, tuple(parts)) if len(parts) == 2 else [cell(x, parts[0])]
            after.append(parts)
            x = parts[0]
        weights = None
        if self.score:
            scores = states @ self.general(x)[0] if self.score == "general" else self.vector(torch.tanh(self.query(x) + self.state(states)))[:, 0]
            weights = torch.softmax(scores, 0)
            x = torch.tanh(self.combine(torch.cat([weights[None] @ states, x], 1)))
        return torch.log_softmax(self.output(x), 1)[0], weights, after, x

    def losses(self, source, target):
        states, final = self.encode(source)
        state, attentional = self.begin(final)
        result = []
        for previous, id in zip([START] + target[:-1], target):
            log_probabilities, _, state, attentional = self.step(previous, states, state, attentional)
            result.append(-log_probabilities[id])
        return result

    def greedy(self, source):
        states, final = self.encode(source)
        state, attentional = self.begin(final)
        ids, total, rows = [START], 0.0, []
        while len(ids) <= LONGEST and (len(ids) == 1 or ids[-1] != END):
            log_probabilities, weights, state, attentional = self.step(ids[-1], states, state, attentional)
            ids.append(int(log_probabilities.argmax()))
            total += float(log_probabilities[ids[-1]])
            rows.append(weights)
        return {"ids": ids[1:], "logProbability": total, "weights": stored(torch.stack(rows)) if self.score else None}

    def parameters_of_bptt(self):
        own = {"encoder.embedding.weight": self.embedding.weight}
        for name, module in self.encoder.items():
            if module.bidirectional:
                own.update(named(f"encoder.{name}.forward", recurrent_parameters(module, "_l0")))
                own.update(named(f"encoder.{name}.reverse", recurrent_parameters(module, "_l0_reverse")))
            else:
                own.update(named(f"encoder.{name}", recurrent_parameters(module, "_l0")))
        own["decoder.embedding.weight"] = self.target.weight
        for key, module in self.bridge.items():
            own.update(named(f"decoder.bridge.{key.replace('/', '.')}", linear_parameters(module)))
        for i, cell in enumerate(self.cells):
            own.update(named(f"decoder.cell.layer{i + 1}", recurrent_parameters(cell)))
        if self.score == "general":
            own["decoder.score.weight"] = self.general.weight
        if self.score == "additive":
            own.update(named("decoder.score", {"queryWeight": self.query.weight.T, "stateWeight": self.state.weight.T}))
            own.update(named("decoder.score", {"bias": self.state.bias, "vector": self.vector.weight.T}))
        if self.score:
            own.update(named("decoder.combine", linear_parameters(self.combine)))
        own.update(named("decoder.output", linear_parameters(self.output)))
        return own


def case(seed, model):
    fill(model, np.random.default_rng(seed))
    losses = [loss for source, target in PAIRS for loss in model.losses(source, target)]
    return {
        "parameters": {name: stored(value) for name, value in model.parameters_of_bptt().items()},
        "loss": float(torch.stack(losses).mean()),
        "greedy": [model.greedy(source) for source, _ in PAIRS],
    }


content = {
    "source": {"script": "test/golden/make_encoder_decoder_golden.py", "numpy": np.__version__, "python": platform.python_version(), "torch": torch.__version__},
    "pairs": [{"input": source, "target": target} for source, target in PAIRS],
    "bridged": case(69, Model({"gru": nn.GRU(E, 3), "bidirectional": nn.LSTM(3, 2, bidirectional=True)}, {"h": 4, "c": 4}, nn.LSTMCell, 3, 2, "general", False)),
    "inputFeeding": case(77, Model({"gru": nn.GRU(E, 4)}, {"h": 4}, nn.GRUCell, 4, 2, "additive", True)),
    "projected": case(108, Model({"projectedLstm": nn.LSTM(E, 4, proj_size=2)}, {"h": 2, "c": 4}, nn.LSTMCell, 3, 1, None, False)),
    "cellStateFromHidden": case(62, Model({"gru": nn.GRU(E, 3)}, {"h": 3}, nn.LSTMCell, 3, 1, None, False)),
}
with open(os.path.join(HERE, "encoder-decoder.json"), "w", encoding="ascii") as f:
    f.write(json.dumps(content, separators=(",", ":"), allow_nan=False) + "\n")

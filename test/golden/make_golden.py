#!/usr/bin/env python3
"""Writes the golden JSON files to the folder of this script. README.md documents how to run it and the files.

Two independent computations must agree before anything is written: PyTorch's own modules (nn.RNN, nn.LSTM, nn.GRU,
with pack_padded_sequence for lengths and the backward half of a bidirectional module for reversal), and a cell written
out below over bptt's parameter layout. The values in the files are those of the modules; training uses the latter.
"""

import json
import os
import platform

import numpy as np
import torch
from torch.nn.utils import clip_grad_norm_
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)

HERE = os.path.dirname(os.path.abspath(__file__))
SEEDS = {"simple-rnn-tanh": 11, "simple-rnn-relu": 12, "lstm": 13, "gru": 14}
T, B, I, H = 7, 3, 5, 4
LENGTHS = [7, 3, 5]
TRAIN = {"steps": 9, "batchSize": 4, "inputSize": 6, "hiddenSize": 8, "outputSize": 5, "updates": 20}
HYPER = {"learningRate": 1e-2, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "maxNorm": 0.5}
WEIGHT_SCALE = 0.6
HEAD_SCALE = {"lstm": 3.0, "gru": 1.5}  # training only, else WEIGHT_SCALE: lifts gradient norms to either side of maxNorm
AGREE = 1e-12
KINK = 1e-4  # no ReLU pre-activation may be this close to zero: a float32 run must take the same branch


# ---------------------------------------------------------------- values and JSON

def uniform(random, shape, scale, bits=16):
    """Uniform in (-scale, scale) on a grid of 2^-bits: exact in float32, with few digits in decimal."""
    x = np.round(random.uniform(-scale, scale, shape) * 2.0**bits) / 2.0**bits
    assert np.array_equal(x, x.astype(np.float32).astype(np.float64))
    return torch.tensor(x)


def tensor(x):
    x = x.detach().numpy() if torch.is_tensor(x) else np.asarray(x)
    assert np.all(np.isfinite(x))
    flat = x.reshape(-1)
    data = [int(v) for v in flat] if x.dtype.kind == "i" else [float(v) + 0.0 for v in flat]  # + 0.0: no -0.0
    return {"shape": list(x.shape), "data": data}


def tree(x):
    return {k: tree(v) for k, v in x.items()} if isinstance(x, dict) else tensor(x)


def leaves(x):
    return [leaf for v in x.values() for leaf in leaves(v)] if isinstance(x, dict) else [x]


def write(name, content):
    text = json.dumps(content, separators=(",", ":"), allow_nan=False) + "\n"
    assert len(text) < 120_000, (name, len(text))
    with open(os.path.join(HERE, name), "w", encoding="ascii") as f:
        f.write(text)
    print(f"{name}: {len(text)} bytes")


def close(a, b, what):
    a, b = torch.as_tensor(a).detach(), torch.as_tensor(b).detach()
    assert a.shape == b.shape, (what, a.shape, b.shape)
    worst = float((a - b).abs().max())
    assert worst <= AGREE, f"{what}: differs by {worst:.3g}"
    return worst


def source(**more):
    return {"script": "test/golden/make_golden.py", "numpy": np.__version__, "python": platform.python_version(), **more}


# ---------------------------------------------------------------- the cells, implemented over bptt's layout

nearest_kink = [float("inf")]


def relu(a):
    nearest_kink[0] = min(nearest_kink[0], float(a.detach().abs().min()))
    return torch.relu(a)


def step_rnn(activation):
    def step(p, x, s):
        return {"h": activation(x @ p["weightIh"] + s["h"] @ p["weightHh"] + p["bias"])}
    return step


def step_lstm(p, x, s):
    i, f, g, o = (x @ p["weightIh"] + s["h"] @ p["weightHh"] + p["bias"]).chunk(4, dim=1)
    c = torch.sigmoid(f) * s["c"] + torch.sigmoid(i) * torch.tanh(g)
    return {"h": torch.sigmoid(o) * torch.tanh(c), "c": c}


def step_gru(p, x, s):
    xr, xz, xn = (x @ p["weightIh"] + p["bias"]).chunk(3, dim=1)
    hr, hz, hn = (s["h"] @ p["weightHh"]).chunk(3, dim=1)
    r, z = torch.sigmoid(xr + hr), torch.sigmoid(xz + hz)
    n = torch.tanh(xn + r * (hn + p["biasHn"]))
    return {"h": (1 - z) * n + z * s["h"]}


CELLS = {
    "simple-rnn-tanh": {"gates": 1, "state": ["h"], "step": step_rnn(torch.tanh),
                        "module": lambda i, h, **k: torch.nn.RNN(i, h, nonlinearity="tanh", **k)},
    "simple-rnn-relu": {"gates": 1, "state": ["h"], "step": step_rnn(relu),
                        "module": lambda i, h, **k: torch.nn.RNN(i, h, nonlinearity="relu", **k)},
    "lstm": {"gates": 4, "state": ["h", "c"], "step": step_lstm,
             "module": lambda i, h, **k: torch.nn.LSTM(i, h, **k)},
    "gru": {"gates": 3, "state": ["h"], "step": step_gru,
            "module": lambda i, h, **k: torch.nn.GRU(i, h, **k)},
}


def unroll(step, p, xs, state, lengths=None, reverse=False):
    """Past its length, a sequence keeps its state and outputs zeros; reversed, it keeps its initial state until its last step."""
    steps = xs.shape[0]
    outputs = [None] * steps
    for t in (range(steps - 1, -1, -1) if reverse else range(steps)):
        new = step(p, xs[t], state)
        if lengths is None:
            state, outputs[t] = new, new["h"]
        else:
            valid = torch.tensor([[t < n] for n in lengths])
            state = {k: torch.where(valid, new[k], state[k]) for k in state}
            outputs[t] = torch.where(valid, new["h"], torch.zeros_like(new["h"]))
    return torch.stack(outputs), state


# ---------------------------------------------------------------- one reference: value, loss, gradients

def parameters_for(random, cell, inputs, hidden):
    """bptt's parameters, and PyTorch's with two biases. Their sums are exact, since both are on the same grid."""
    width = cell["gates"] * hidden
    weight_ih = uniform(random, (inputs, width), WEIGHT_SCALE)
    weight_hh = uniform(random, (hidden, width), WEIGHT_SCALE)
    b_ih = uniform(random, (width,), WEIGHT_SCALE)
    b_hh = uniform(random, (width,), WEIGHT_SCALE)
    bias = b_ih + b_hh
    p = {"weightIh": weight_ih, "weightHh": weight_hh, "bias": bias}
    if cell["gates"] == 3:
        bias[2 * hidden:] = b_ih[2 * hidden:]
        p["biasHn"] = b_hh[2 * hidden:].clone()
    return p, {"weight_ih": weight_ih.T, "weight_hh": weight_hh.T, "bias_ih": b_ih, "bias_hh": b_hh}


def project(projection, outputs, final):
    return (outputs * projection["outputs"]).sum() + sum((final[k] * projection[k]).sum() for k in final)


def by_module(cell, torch_parameters, case, lengths, reverse):
    """PyTorch's module; reversed: the backward half of a bidirectional one (its forward half is random and unused)."""
    torch.manual_seed(1)
    module = cell["module"](I, H, bidirectional=reverse)
    suffix = "_l0_reverse" if reverse else "_l0"
    with torch.no_grad():
        for name, value in torch_parameters.items():
            getattr(module, name + suffix).copy_(value)
    xs = case["xs"].clone().requires_grad_()
    initial = {k: v.clone().requires_grad_() for k, v in case["initialState"].items()}
    stacked = [torch.stack([torch.zeros_like(v), v] if reverse else [v]) for v in initial.values()]
    state = tuple(stacked) if len(stacked) == 2 else stacked[0]
    packed = xs if lengths is None else pack_padded_sequence(xs, torch.tensor(lengths), enforce_sorted=False)
    outputs, state = module(packed, state)
    if lengths is not None:
        outputs, back = pad_packed_sequence(outputs, total_length=T)
        assert back.tolist() == lengths
    if reverse:
        outputs = outputs[..., H:]
    final = {k: v[-1] for k, v in zip(initial, state if len(stacked) == 2 else [state])}
    loss = project(case["projection"], outputs, final)
    loss.backward()

    grad = {name: getattr(module, name + suffix).grad for name in torch_parameters}
    gradients = {"weightIh": grad["weight_ih"].T, "weightHh": grad["weight_hh"].T, "bias": grad["bias_ih"]}
    shared = 2 * H if cell["gates"] == 3 else cell["gates"] * H
    close(grad["bias_hh"][:shared], grad["bias_ih"][:shared], "gradient of bias_hh = that of bias_ih")
    if cell["gates"] == 3:
        gradients["biasHn"] = grad["bias_hh"][2 * H:]
        assert float((gradients["biasHn"] - grad["bias_ih"][2 * H:]).abs().max()) > 1e-3
    return {"outputs": outputs, "finalState": final, "loss": loss,
            "gradients": {"parameters": gradients, "xs": xs.grad,
                          "initialState": {k: v.grad for k, v in initial.items()}}}


def by_hand(cell, case, lengths, reverse):
    fresh = lambda d: {k: v.clone().requires_grad_() for k, v in d.items()}
    p, initial, xs = fresh(case["parameters"]), fresh(case["initialState"]), case["xs"].clone().requires_grad_()
    outputs, final = unroll(cell["step"], p, xs, initial, lengths, reverse)
    loss = project(case["projection"], outputs, final)
    loss.backward()
    return {"outputs": outputs, "finalState": final, "loss": loss,
            "gradients": {"parameters": {k: v.grad for k, v in p.items()}, "xs": xs.grad,
                          "initialState": {k: v.grad for k, v in initial.items()}}}


def agreed(cell, torch_parameters, case, lengths=None, reverse=False):
    module, hand = by_module(cell, torch_parameters, case, lengths, reverse), by_hand(cell, case, lengths, reverse)
    for a, b in zip(leaves(module), leaves(hand)):
        close(a, b, f"module and hand-written cell (lengths {lengths}, reversed {reverse})")
    if lengths is not None:
        for b, n in enumerate(lengths):
            assert not module["outputs"][n:, b].any() and not module["gradients"]["xs"][n:, b].any()
            if not reverse and n > 0:
                assert torch.equal(module["outputs"][n - 1, b], module["finalState"]["h"][b])
    return {**{k: tree(module[k]) for k in ("outputs", "finalState")}, "loss": float(module["loss"]),
            "gradients": tree(module["gradients"])}


# ---------------------------------------------------------------- training

def train(cell, initial, batches, dtype):
    cast = lambda d: {k: cast(v) if isinstance(v, dict) else v.to(dtype, copy=True).requires_grad_()
                      for k, v in d.items()}
    p = cast(initial)
    adam = torch.optim.Adam(leaves(p), lr=HYPER["learningRate"], betas=(HYPER["beta1"], HYPER["beta2"]), eps=HYPER["epsilon"])
    losses, norms = [], []
    for batch in batches:
        zero = {k: torch.zeros(TRAIN["batchSize"], TRAIN["hiddenSize"], dtype=dtype) for k in cell["state"]}
        outputs, _ = unroll(cell["step"], p, batch["xs"].to(dtype), zero)
        logits = outputs @ p["head"]["weight"] + p["head"]["bias"]
        loss = torch.nn.functional.cross_entropy(logits.reshape(-1, TRAIN["outputSize"]), batch["targets"].reshape(-1))
        adam.zero_grad()
        loss.backward()
        norms.append(float(clip_grad_norm_(leaves(p), HYPER["maxNorm"])))
        losses.append(float(loss))
        adam.step()
    return losses, norms, p


def training(name, cell, random):
    steps, batch, inputs, hidden, outputs, updates = TRAIN.values()
    initial, _ = parameters_for(random, cell, inputs, hidden)
    initial["head"] = {"weight": uniform(random, (hidden, outputs), HEAD_SCALE.get(name, WEIGHT_SCALE)),
                       "bias": uniform(random, (outputs,), WEIGHT_SCALE)}
    batches = [{"xs": uniform(random, (steps, batch, inputs), 1.5, bits=8),
                "targets": torch.tensor(random.randint(0, outputs, (steps, batch)))} for _ in range(updates)]
    losses, norms, final = train(cell, initial, batches, torch.float64)
    clipped = sum(n > HYPER["maxNorm"] for n in norms)
    assert 0 < clipped < updates, f"{name}: both branches of the clip must be taken: {norms}"
    losses32, norms32, final32 = train(cell, initial, batches, torch.float32)
    drift = lambda a, b: max(float((x.double() - y).abs().max()) for x, y in zip(a, b))
    print(f"{name}: loss {losses[0]:.4f} .. {losses[-1]:.4f}, norm {min(norms):.3f} .. {max(norms):.3f}, clipped {clipped} of {updates}; "
          f"PyTorch in float32 differs by: losses {np.abs(np.subtract(losses, losses32)).max():.1e}, "
          f"norms {np.abs(np.subtract(norms, norms32)).max():.1e}, parameters {drift(leaves(final32), leaves(final)):.1e}")
    return {"sizes": TRAIN, "hyperparameters": HYPER, "initialParameters": tree(initial), "batches": [tree(b) for b in batches],
            "losses": losses, "norms": norms, "finalParameters": tree(final)}


# ---------------------------------------------------------------- files

def make_cell(name):
    cell, seed = CELLS[name], SEEDS[name]
    random = np.random.RandomState(seed)  # its streams are frozen by NumPy's compatibility policy
    nearest_kink[0] = float("inf")
    p, torch_parameters = parameters_for(random, cell, I, H)
    state = lambda: {k: uniform(random, (B, H), 1) for k in cell["state"]}
    case = {"parameters": p, "xs": uniform(random, (T, B, I), 1), "initialState": state(),
            "projection": {"outputs": uniform(random, (T, B, H), 1), **state()}}
    content = {
        "source": source(torch=torch.__version__, seed=seed, cell=name),
        "sizes": {"steps": T, "batchSize": B, "inputSize": I, "hiddenSize": H},
        **tree(case),
        **agreed(cell, torch_parameters, case),
        "lengths": {"lengths": LENGTHS, **agreed(cell, torch_parameters, case, LENGTHS)},
        "reversed": {"full": agreed(cell, torch_parameters, case, None, True),
                     "lengths": agreed(cell, torch_parameters, case, LENGTHS, True)},
        "training": training(name, cell, random),
    }
    if name == "simple-rnn-relu":
        print(f"simple-rnn-relu: nearest pre-activation to the kink {nearest_kink[0]:.1e}")
        assert nearest_kink[0] > KINK, nearest_kink
        h = np.array(content["outputs"]["data"])
        assert 0.2 < (h > 0).mean() < 0.9, "both sides of the ReLU"
    write(name + ".json", content)


# Keras' published values: keras/src/layers/rnn/{lstm,gru,simple_rnn}_test.py, test_correctness and test_pass_initial_state.
# One entry per case: [layer, options, shape of arange [B, T, I], units, shape-[B, units] state or None, last output].
# In Keras' tests all units of a row are equal unless there is an initial state: one value per row is repeated.
KERAS = [
    ["LSTM", {"unitForgetBias": True}, (3, 6, 4), 3, None, [0.6288687, 0.86899155, 0.9460773]],
    ["LSTM", {"unitForgetBias": False}, (3, 6, 4), 3, None, [0.57019705, 0.8661914, 0.9459622]],
    ["LSTM", {"unitForgetBias": True, "goBackwards": True}, (3, 6, 4), 3, None, [0.35622165, 0.74789524, 0.8872726]],
    ["LSTM", {"unitForgetBias": True}, (2, 4, 3), 2, (2, 2), [[0.20574439, 0.3558822], [0.64930826, 0.66276]]],
    ["GRU", {"resetAfter": True}, (3, 6, 4), 3, None, [0.5217289, 0.6371659, 0.39384964]],
    ["GRU", {"resetAfter": False}, (3, 6, 4), 3, None, [0.51447755, 0.6426879, 0.40208298]],
    ["GRU", {"resetAfter": True, "goBackwards": True}, (3, 6, 4), 3, None, [0.24406259, 0.611516, 0.3928808]],
    ["GRU", {"resetAfter": True}, (2, 4, 3), 2, (2, 2), [[0.23774096, 0.33508456], [0.83659905, 1.0227708]]],
    ["SimpleRNN", {}, (2, 3, 4), 4, None, [0.405432, 0.73605347]],
    ["SimpleRNN", {"goBackwards": True}, (2, 3, 4), 4, None, [0.11144729, 0.5528889]],
    ["SimpleRNN", {}, (2, 4, 3), 4, (2, 4), [0.33621645, 0.6262637]],
]


def keras_last_output(layer, options, xs, units, h0, kernel=0.01, recurrent=0.02, bias=0.03):
    """Keras' own gate orders, i f c o and z r h; for LSTM the initial c equals the initial h, as in Keras' test."""
    sigmoid = lambda a: 1 / (1 + np.exp(-a))
    blocks = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}[layer]
    w, u = np.full((xs.shape[2], blocks * units), kernel), np.full((units, blocks * units), recurrent)
    b = np.full(blocks * units, bias)
    if options.get("unitForgetBias"):
        b[units:2 * units] = 1
    h = np.zeros((xs.shape[0], units)) if h0 is None else h0
    c = h
    for x in (xs[:, ::-1] if options.get("goBackwards") else xs).swapaxes(0, 1):
        a = np.split(x @ w + b, blocks, axis=1)
        if layer == "SimpleRNN":
            h = np.tanh(a[0] + h @ u)
        elif layer == "LSTM":
            i, f, g, o = (v + r for v, r in zip(a, np.split(h @ u, 4, axis=1)))
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
        else:
            uz, ur, uh = np.split(u, 3, axis=1)
            if options["resetAfter"]:  # the second row of biases, on the recurrent side
                z, r = sigmoid(a[0] + h @ uz + bias), sigmoid(a[1] + h @ ur + bias)
                n = np.tanh(a[2] + r * (h @ uh + bias))
            else:
                z, r = sigmoid(a[0] + h @ uz), sigmoid(a[1] + h @ ur)
                n = np.tanh(a[2] + (r * h) @ uh)
            h = z * h + (1 - z) * n
    return h


def make_keras():
    cases, worst = [], 0.0
    for layer, options, shape, units, state_shape, expected in KERAS:
        xs = np.arange(np.prod(shape), dtype=np.float64).reshape(shape)
        h0 = None if state_shape is None else np.arange(np.prod(state_shape), dtype=np.float64).reshape(state_shape)
        full = np.array(expected) if np.ndim(expected) == 2 else np.repeat(np.array(expected)[:, None], units, axis=1)
        computed = keras_last_output(layer, options, xs, units, h0)
        difference = np.abs(computed - full).max()
        assert full.shape == computed.shape and difference < 1e-6, (layer, options, difference)
        worst = max(worst, difference)
        state = None if h0 is None else {"h": tensor(h0), **({"c": tensor(h0)} if layer == "LSTM" else {})}
        cases.append({"layer": layer, "options": options, "units": units, "xsBatchFirst": tensor(xs),
                      "initialState": state, "lastOutput": tensor(full)})
    print(f"keras.json: numpy differs from the published values by at most {worst:.1e}")
    write("keras.json", {
        "source": source(values="Keras 3, keras/src/layers/rnn/{lstm,gru,simple_rnn}_test.py",
                         kernel="all 0.01", recurrentKernel="all 0.02",
                         bias="all 0.03, but the forget part is 1 with unitForgetBias; GRU resetAfter has two rows, both 0.03"),
        "kernel": 0.01, "recurrentKernel": 0.02, "bias": 0.03, "cases": cases})


if __name__ == "__main__":
    for cell_name in CELLS:
        make_cell(cell_name)
    make_keras()

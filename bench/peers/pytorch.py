"""Runs the cases with PyTorch; the argument is the number of threads.

Reads one case per line as JSON, and prints the time of its steps in milliseconds.
"""

import ctypes
import json
import os
import re
import sys
import time

import torch

torch.set_num_threads(int(sys.argv[1]))
torch.manual_seed(0)
kinds = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}


def blas():
    """Returns the name of the BLAS library, and the processor type that it has detected."""
    if not os.path.exists("/proc/self/maps"):
        # Not Linux: the libraries of the process are not known.
        return {"blas": "unknown", "core": ""}
    with open("/proc/self/maps") as maps:
        paths = sorted(set(re.findall(r"\S*(?:openblas|mkl_|blis|libblas|atlas)\S*", maps.read())))
    for path in paths:
        if "openblas" in path:
            library = ctypes.CDLL(path)
            library.openblas_get_corename.restype = ctypes.c_char_p
            return {"blas": "OpenBLAS", "core": library.openblas_get_corename().decode()}
    for path in paths:
        if "mkl" in path or "blis" in path or "atlas" in path:
            return {"blas": path.split("/")[-1], "core": ""}
    built = torch.__config__.show()
    mkl = "Intel(R) oneAPI Math" in built or "Intel(R) Math Kernel" in built
    return {"blas": "MKL" if mkl else "reference", "core": ""}


class Convolutional(torch.nn.Module):
    """The cases with convolutions, on [B, I, T], the layout of PyTorch; the result is [B, V, T]."""

    def __init__(self, name, s):
        super().__init__()
        I, k, V = (s[key] for key in "IkV")
        conv, same = torch.nn.Conv1d, {"padding": (k - 1) // 2}
        self.rnn = torch.nn.GRU(V, V) if name == "conv-gru" else None
        if name == "conv":
            self.layers = torch.nn.Sequential(conv(I, V, k, **same), torch.nn.ReLU(), conv(V, V, k, **same))
        elif name == "separable":
            self.layers = torch.nn.Sequential(conv(I, I, k, groups=I, **same), conv(I, V, 1))
        else:
            self.layers = torch.nn.Sequential(conv(I, V, k, stride=2, **same), torch.nn.ReLU())
            self.head = torch.nn.Linear(V, V)

    def forward(self, x):
        y = self.layers(x)
        return y if self.rnn is None else self.head(self.rnn(y.permute(2, 0, 1))[0]).permute(1, 2, 0)


def train_convolutional(cell, s):
    model, x = Convolutional(cell, s), torch.randn(s["B"], s["I"], s["T"])
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    steps = model(x).shape[2]
    y = ((torch.arange(steps * s["B"]) * 7919) % s["V"]).reshape(steps, s["B"]).T.contiguous()

    def step():
        optimizer.zero_grad(set_to_none=True)
        torch.nn.functional.cross_entropy(model(x), y).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return step


def infer_convolutional(cell, s):
    model, x = Convolutional(cell, s), torch.randn(s["B"], s["I"], s["T"])
    return lambda: model(x)


def train(cell, s):
    if "k" in s:
        return train_convolutional(cell, s)
    T, B, I, H, V = (s[k] for k in "TBIHV")
    rnn, head = kinds[cell](I, H), torch.nn.Linear(H, V)
    parameters = [*rnn.parameters(), *head.parameters()]
    optimizer = torch.optim.Adam(parameters, 1e-3)
    x = torch.randn(T, B, I)
    y = (torch.arange(T * B) * 7919) % V

    def step():
        optimizer.zero_grad(set_to_none=True)
        outputs, _ = rnn(x)
        torch.nn.functional.cross_entropy(head(outputs).reshape(T * B, V), y).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()

    return step


def infer(cell, s):
    if "k" in s:
        return infer_convolutional(cell, s)
    T, B, I, H, V = (s[k] for k in "TBIHV")
    rnn, head, x = kinds[cell](I, H), torch.nn.Linear(H, V), torch.randn(T, B, I)
    return lambda: head(rnn(x)[0])


def stream(cell, s):
    rnn, x, state = kinds[cell](s["I"], s["H"]), torch.full((1, 1, s["I"]), 0.1), [None]

    def step():
        state[0] = rnn(x, state[0])[1]

    return step


print(json.dumps({"torch": torch.__version__, **blas()}), flush=True)
prepared = {}
for line in sys.stdin:
    request = json.loads(line)
    key = json.dumps([request["kind"], request["cell"], request["shape"]])
    if key not in prepared:
        prepared.clear()
        prepare = {"train": train, "infer": infer, "stream": stream}[request["kind"]]
        prepared[key] = prepare(request["cell"], request["shape"])
    step = prepared[key]
    with torch.set_grad_enabled(request["kind"] == "train"):
        start = time.perf_counter()
        for _ in range(request["n"]):
            step()
        print((time.perf_counter() - start) * 1e3, flush=True)

"""Runs the cases with PyTorch; the argument is the number of threads.

Reads one case per line as JSON, and prints the time of its steps in milliseconds.
"""

import ctypes
import json
import re
import sys
import time

import torch

torch.set_num_threads(int(sys.argv[1]))
torch.manual_seed(0)
kinds = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}


def blas():
    """Returns the name of the BLAS library, and the processor type that it has detected."""
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


def train(cell, s):
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

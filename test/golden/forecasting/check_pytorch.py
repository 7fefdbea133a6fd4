"""Trains the forecaster of the set alcohol-sales with PyTorch, and prints the MASE of the backtest for several seeds.

The model, the windows and the training are those of `forecaster({ horizon: 12, frequency: 'month' })` and its defaults;
only the random numbers differ. Run with Python 3 with torch and numpy:
    python3 test/golden/forecasting/check_pytorch.py 1 2 3 4 5 6 7 8
"""

import csv
import datetime
import math
import os
import sys

import numpy
import torch
from torch import nn
from torch.nn.functional import softplus

SEASON, HORIZON, CONTEXT, HIDDEN = 12, 12, 24, 32
ORIGINS, STRIDE, STEPS, BATCH, RATE = 16, 3, 600, 32, 5e-3
LEVELS = torch.tensor([0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975])
MIDDLE = 6

folder = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(folder, "../../../examples/forecasting/data/alcohol-sales.csv")) as file:
    rows = list(csv.DictReader(file))
sales = numpy.array([float(row["sales"]) for row in rows])
first_year = int(rows[0]["time"][:4])


def calendar(t):
    """Two harmonics of the year."""
    day = datetime.date(first_year + t // 12, t % 12 + 1, 1)
    start, end = datetime.date(day.year, 1, 1), datetime.date(day.year + 1, 1, 1)
    phase = 2 * math.pi * (day - start).days / (end - start).days
    return [math.sin(phase), math.cos(phase), math.sin(2 * phase), math.cos(2 * phase)]


class Track:
    """The scaled values, and the mean of the last season after each of them."""

    def __init__(self, values):
        self.values = values
        self.levels = [values[max(0, t + 1 - SEASON) : t + 1].mean() for t in range(len(values))]

    def level(self, origin):
        return self.levels[origin] if origin >= 0 else 0.0

    def seasonal(self, t, origin):
        at = t - SEASON * math.ceil((t - origin) / SEASON)
        return self.values[at] if at >= 0 else self.level(origin)

    def inputs(self, t, origin):
        level = self.level(origin)
        known = origin == t - 1 and origin >= 0
        last = self.values[origin] if known else level
        before = self.values[origin - SEASON] if known and origin >= SEASON else last
        ahead = [(t - origin - 1) / HORIZON, float(t - origin > 1)]
        return [last - level, last - before, float(known), self.seasonal(t, origin) - level, *ahead, *calendar(t)]

    def recent(self, origin):
        level = self.level(origin)
        return [(self.values[origin - j] if origin >= j else level) - level for j in range(CONTEXT)]


class Forecaster(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.GRUCell(10, HIDDEN)
        self.dense = nn.Linear(HIDDEN, len(LEVELS))
        self.skip = nn.Linear(CONTEXT, HORIZON)
        for block in self.cell.weight_ih.data.chunk(3):
            nn.init.xavier_uniform_(block)
        for block in self.cell.weight_hh.data.chunk(3):
            nn.init.orthogonal_(block)
        nn.init.xavier_uniform_(self.dense.weight)
        for zero in (self.cell.bias_ih, self.cell.bias_hh, self.dense.bias, self.skip.weight, self.skip.bias):
            nn.init.zeros_(zero)

    def forward(self, inputs, fresh, bases, recent):
        """inputs [T, B, F]; fresh [T, B], 0 at the first step of a series. Returns quantiles [T, B, Q]."""
        h = inputs.new_zeros(inputs.shape[1], HIDDEN)
        states = []
        for x, keep in zip(inputs, fresh):
            h = self.cell(x, h * keep[:, None])
            states.append(h)
        outputs = self.dense(nn.functional.dropout(torch.stack(states), 0.1, self.training))
        skip = self.skip(recent).T
        location = outputs[..., :1] + bases[..., None]
        location = location + torch.cat([location.new_zeros(len(inputs) - HORIZON, inputs.shape[1]), skip])[..., None]
        distances = softplus(outputs[..., 1:])
        up = location + distances[..., MIDDLE:].cumsum(-1)
        down = location - distances[..., :MIDDLE].flip(-1).cumsum(-1).flip(-1)
        return torch.cat([down, location, up], -1)


def tensor(values):
    return torch.tensor(numpy.array(values), dtype=torch.float32)


def windows(track, origins, weight_of_context):
    """Tensors of the windows that end at the origins."""
    T, B = CONTEXT + HORIZON, len(origins)
    inputs, bases, targets, weights = (numpy.zeros((T, B, size)) for size in (10, 1, 1, 1))
    fresh = numpy.ones((T, B))
    for b, at in enumerate(origins):
        first = at + 1 - CONTEXT
        fresh[max(0, -first), b] = 0
        for i in range(max(0, -first), T):
            t = first + i
            origin = at if t > at else t - 1
            inputs[i, b] = track.inputs(t, origin)
            bases[i, b] = track.values[origin] if origin >= 0 else 0
            targets[i, b] = track.values[t]
            weights[i, b] = 0 if t == 0 else 1 if t > at else weight_of_context * HORIZON / CONTEXT
    recent = [track.recent(at) for at in origins]
    return [tensor(each) for each in (inputs, fresh, bases[..., 0], recent, targets[..., 0], weights[..., 0])]


def loss_of(model, batch):
    *features, targets, weights = batch
    error = targets[..., None] - model(*features)
    pinball = (error.abs() / 2 + (LEVELS - 0.5) * error).sum(-1) * 2 / len(LEVELS)
    return (pinball * weights).sum() / weights.sum()


def train(values, steps, validation):
    """Trains on all but the last `validation` values. Returns the model, its scaling and the best number of steps."""
    logs = numpy.log(values)
    training = logs[: len(logs) - validation]
    offset, scale = training.mean(), training.std()
    track = Track((logs - offset) / scale)
    N = len(values)
    origins = list(range(SEASON - 1, N - validation - HORIZON))
    held = windows(track, range(N - validation - 1, N - HORIZON), 0) if validation else None
    every = windows(track, origins, 0.25)
    model = Forecaster()
    optimizer = torch.optim.AdamW(model.parameters(), RATE, weight_decay=0.01)
    losses, step, batches = [], 0, math.ceil(len(origins) / BATCH)
    while step < steps:
        model.train()
        for rows in torch.randperm(len(origins)).split(BATCH):
            if step == steps:
                break
            for group in optimizer.param_groups:
                group["lr"] = RATE * (1 + math.cos(math.pi * step / steps)) / 2
            optimizer.zero_grad()
            batch = [each[rows] if i == 3 else each[:, rows] for i, each in enumerate(every)]
            loss_of(model, batch).backward()
            # The library has one bias per gate, and a second one only for the candidate.
            model.cell.bias_hh.grad[: 2 * HIDDEN] = 0
            nn.utils.clip_grad_norm_(model.parameters(), 1)
            optimizer.step()
            step += 1
        model.eval()
        if held:
            with torch.no_grad():
                losses.append(loss_of(model, held).item())
    model.eval()
    best = min(steps, (numpy.argmin(losses) + 1) * batches) if held else steps
    return model, (offset, scale), max(best, steps // 2)


def median_after(model, scaling, history):
    """The median forecast from the state after the whole history."""
    offset, scale = scaling
    scaled = (numpy.log(history) - offset) / scale
    track = Track(numpy.append(scaled, numpy.zeros(HORIZON)))
    at = len(history) - 1
    inputs = [track.inputs(t, min(t - 1, at)) for t in range(len(history) + HORIZON)]
    bases = [track.values[min(t - 1, at)] if t > 0 else 0 for t in range(len(inputs))]
    fresh = numpy.ones((len(inputs), 1))
    fresh[0] = 0
    with torch.no_grad():
        quantiles = model(
            tensor(inputs)[:, None], tensor(fresh), tensor(bases)[:, None], tensor([track.recent(at)])
        )
    return numpy.exp(quantiles[-HORIZON:, 0, MIDDLE].numpy() * scale + offset)


def backtest(seed):
    torch.manual_seed(seed)
    starts = [len(sales) - HORIZON - i * STRIDE for i in reversed(range(ORIGINS))]
    first = sales[: starts[0]]
    validation = max(HORIZON, min(len(first) // 5, 10 * HORIZON))
    _, _, steps = train(first, STEPS, validation)
    model, scaling, _ = train(first, steps, 0)
    errors = []
    for start in starts:
        history, actual = sales[:start], sales[start : start + HORIZON]
        scale = numpy.abs(history[SEASON:] - history[:-SEASON]).mean()
        errors.append(numpy.abs(median_after(model, scaling, history) - actual).mean() / scale)
    return numpy.mean(errors)


torch.set_num_threads(1)
scores = []
for seed in map(int, sys.argv[1:]):
    scores.append(backtest(seed))
    print(f"seed {seed}: MASE {scores[-1]:.3f}", flush=True)
print(f"mean {numpy.mean(scores):.3f}, standard deviation {numpy.std(scores, ddof=1):.3f}")

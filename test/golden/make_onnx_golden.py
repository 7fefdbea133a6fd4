#!/usr/bin/env python3
"""Create small ONNX models, and collect ONNX's tests of the supported operators.

    /usr/bin/python3 test/golden/make_onnx_golden.py

The models are exported by PyTorch, or written by hand in the form of tf2onnx's export of Keras models. A JSON file next
to each model has its inputs and PyTorch's outputs by name, { shape, type, data }. operators.json has the files of
Debian's libonnx-testdata in base64, by test name: { model, inputs, outputs }. Created with PyTorch 1.13 and onnx 1.12
of Debian 12.
"""

import base64
import json
import re
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

HERE = Path(__file__).parent / 'onnx'
TESTS = Path('/usr/share/libonnx-testdata/data/node')
I, H, V = 5, 4, 7

warnings.filterwarnings('ignore')


def stored(values):
    values = values.detach().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)
    kind = 'float' if values.dtype.kind == 'f' else 'int'
    convert = float if kind == 'float' else int
    return {'shape': list(values.shape), 'type': kind, 'data': [convert(x) for x in values.ravel()]}


def write_case(name, inputs, outputs):
    text = json.dumps({'inputs': {k: stored(v) for k, v in inputs.items()},
                       'outputs': {k: stored(v) for k, v in outputs.items()}})
    (HERE / f'{name}.json').write_text(text + '\n')


def export(name, module, example, inputs, outputs, dynamic, opset, **options):
    """Export with an example of other sizes than `inputs`, so that no size of the example can be part of the model."""
    module.eval()
    path = HERE / f'{name}.onnx'
    torch.onnx.export(module, example, str(path), input_names=list(inputs), output_names=outputs, dynamic_axes=dynamic,
        opset_version=opset, **options)
    model = onnx.load(str(path))
    onnx.checker.check_model(model)
    with torch.no_grad():
        results = module(*inputs.values())
    results = results if isinstance(results, tuple) else (results,)
    assert len(results) == len(outputs)
    write_case(name, inputs, dict(zip(outputs, results)))
    kinds = [node.op_type for node in model.graph.node]
    print(f'{name} (opset {opset}): {", ".join(f"{kinds.count(kind)} {kind}" for kind in sorted(set(kinds)))}')


class Stacked(nn.Module):
    """nn.LSTM, nn.GRU or nn.RNN, with its outputs as a flat tuple."""

    def __init__(self, module):
        super().__init__()
        self.rnn = module

    def forward(self, x, *state):
        y, final = self.rnn(x, *((state if len(state) == 2 else state[0],) if state else ()))
        return (y, *final) if isinstance(final, tuple) else (y, final)


class Tagger(nn.Module):
    """Embedding, LSTM, and a linear layer with log-softmax at every step."""

    def __init__(self):
        super().__init__()
        self.embedding, self.rnn, self.head = nn.Embedding(V, I), nn.LSTM(I, H, batch_first=True), nn.Linear(H, V)

    def forward(self, ids):
        return torch.log_softmax(self.head(self.rnn(self.embedding(ids))[0]), dim=-1)


class Classifier(nn.Module):
    """A GRU, and two linear layers with dropout and softmax at its last step."""

    def __init__(self):
        super().__init__()
        self.rnn, self.dropout = nn.GRU(I, H, num_layers=2, dropout=0.2), nn.Dropout(0.5)
        self.hidden, self.head = nn.Linear(H, 6), nn.Linear(6, 3)

    def forward(self, x):
        y, _ = self.rnn(x)
        return torch.softmax(self.head(self.dropout(torch.relu(self.hidden(y[-1])))), dim=1)


class Packed(nn.Module):
    """Packed sequences of unequal length."""

    def __init__(self, module):
        super().__init__()
        self.rnn = module

    def forward(self, x, lengths):
        packed = pack_padded_sequence(x, lengths, batch_first=self.rnn.batch_first)
        y, final = self.rnn(packed)
        y, _ = pad_packed_sequence(y, batch_first=self.rnn.batch_first)
        return (y, *final) if isinstance(final, tuple) else (y, final)


class Mixed(nn.Module):
    """Arithmetic around an RNN: scaling, a gate of sigmoid and tanh, slices of features, and concatenation of steps."""

    def __init__(self):
        super().__init__()
        self.rnn, self.scale = nn.RNN(I, 2 * H, bidirectional=True, batch_first=True), nn.Parameter(torch.rand(I) + 0.5)

    def forward(self, x):
        y, _ = self.rnn((x - 0.25) * self.scale / 2)
        left, right = y.chunk(2, dim=2)
        gated = torch.sigmoid(left) * torch.tanh(right)
        return torch.cat([gated[:, 0], gated[:, -1], gated[:, ::2].transpose(1, 2).matmul(gated[:, ::2]).flatten(1)],
            dim=1)


class Learned(nn.Module):
    """An LSTM with a learned initial state, expanded to the batch, which PyTorch exports with Equal and Where."""

    def __init__(self):
        super().__init__()
        self.rnn, self.h, self.c = nn.LSTM(I, H), nn.Parameter(torch.randn(1, 1, H)), nn.Parameter(torch.randn(1, 1, H))

    def forward(self, x):
        B = x.size(1)
        return self.rnn(x, (self.h.expand(-1, B, -1), self.c.expand(1, B, H)))[0]


def keras_like(name, kind, opset, hard=False):
    """Transpose, LSTM or GRU, Squeeze, MatMul, Add, Softmax: tf2onnx's form of a batch-major Keras Sequential."""
    generator = np.random.default_rng(5)
    def draw(*shape):
        return generator.normal(0, 0.5, shape).astype(np.float32)
    G = 4 if kind == 'LSTM' else 3
    weights = {f'{name}/W': draw(1, G * H, I), f'{name}/R': draw(1, G * H, H),
               f'{name}/B': np.concatenate([draw(1, G * H), np.zeros((1, G * H), np.float32)], 1),
               'dense/kernel': draw(H, 3), 'dense/bias': draw(3)}
    nodes = [helper.make_node('Transpose', ['x'], ['time_major'], name=f'{name}/transpose', perm=[1, 0, 2])]
    # The GRU of Keras with reset_after=False. PyTorch exports the other form.
    gate = 'HardSigmoid' if hard else 'Sigmoid'
    if kind == 'GRU':
        options = {'linear_before_reset': 0, 'activations': [gate, 'Tanh']}
    else:
        options = {'activations': [gate, 'Tanh', 'Tanh']}
    sigma = (lambda x: (0.2 * x + 0.5).clamp(0, 1)) if hard else torch.sigmoid
    nodes += [helper.make_node(kind, ['time_major', f'{name}/W', f'{name}/R', f'{name}/B'], ['', 'last'],
        name=f'{name}/{kind}__1', hidden_size=H, direction='forward', **options)]
    if opset >= 13:
        weights['axes'] = np.array([0], np.int64)
        nodes += [helper.make_node('Squeeze', ['last', 'axes'], ['h'], name=f'{name}/squeeze')]
    else:
        nodes += [helper.make_node('Squeeze', ['last'], ['h'], name=f'{name}/squeeze', axes=[0])]
    nodes += [helper.make_node('MatMul', ['h', 'dense/kernel'], ['product'], name='dense/MatMul'),
              helper.make_node('Add', ['product', 'dense/bias'], ['logits'], name='dense/BiasAdd'),
              helper.make_node('Softmax', ['logits'], ['probabilities'], name='softmax',
                               **({'axis': -1} if opset >= 13 else {'axis': 1}))]
    graph = helper.make_graph(nodes, 'tf2onnx',
                              [helper.make_tensor_value_info('x', TensorProto.FLOAT, ['unk__6', None, I])],
                              [helper.make_tensor_value_info('probabilities', TensorProto.FLOAT, ['unk__7', 3])],
                              [numpy_helper.from_array(w, key) for key, w in weights.items()])
    model = helper.make_model(graph, producer_name='tf2onnx', opset_imports=[helper.make_opsetid('', opset)])
    model.ir_version = 7
    onnx.checker.check_model(model)
    onnx.save(model, str(HERE / f'{name}.onnx'))

    x = draw(3, 6, I)
    W, R, B = [torch.from_numpy(weights[f'{name}/{key}'][0]) for key in 'WRB']
    blocks = lambda m: m.chunk(G)
    h = c = torch.zeros(3, H)
    for t in range(6):
        a, b = blocks(torch.from_numpy(x[:, t]).matmul(W.T).T + B[:G * H, None]), blocks(R.matmul(h.T))
        if kind == 'LSTM':
            i, o, f, g = [(p + q).T for p, q in zip(a, b)]
            c = sigma(f) * c + sigma(i) * g.tanh()
            h = sigma(o) * c.tanh()
        else:
            z, r = [sigma((p + q).T) for p, q in zip(a[:2], b[:2])]
            n = (a[2].T + (r * h).matmul(R.chunk(3)[2].T)).tanh()
            h = (1 - z) * n + z * h
    logits = h.matmul(torch.from_numpy(weights['dense/kernel'])) + torch.from_numpy(weights['dense/bias'])
    write_case(name, {'x': x}, {'probabilities': torch.softmax(logits, 1)})


def peephole():
    """A bidirectional LSTM with peepholes, lengths and initial states.

    The test of ONNX has equal weights, which hide the order i o f.
    """
    generator = np.random.default_rng(6)
    T, B, lengths = 5, 3, [5, 2, 4]
    def draw(*shape):
        return generator.normal(0, 0.5, shape).astype(np.float32)
    weights = {'W': draw(2, 4 * H, I), 'R': draw(2, 4 * H, H), 'B': draw(2, 8 * H), 'P': draw(2, 3 * H)}
    inputs = {'x': draw(T, B, I), 'lengths': np.array(lengths, np.int64), 'h0': draw(2, B, H), 'c0': draw(2, B, H)}
    nodes = [helper.make_node('Cast', ['lengths'], ['lens'], to=TensorProto.INT32),
             helper.make_node('LSTM', ['x', 'W', 'R', 'B', 'lens', 'h0', 'c0', 'P'], ['y', 'h', 'c'], name='lstm',
                              hidden_size=H, direction='bidirectional')]
    type_of = lambda name: TensorProto.INT64 if name == 'lengths' else TensorProto.FLOAT
    declared = [helper.make_tensor_value_info(name, type_of(name), value.shape) for name, value in inputs.items()]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
               for name, shape in {'y': [T, 2, B, H], 'h': [2, B, H], 'c': [2, B, H]}.items()]
    initializers = [numpy_helper.from_array(w, key) for key, w in weights.items()]
    model = helper.make_model(helper.make_graph(nodes, 'peephole', declared, outputs, initializers),
                              opset_imports=[helper.make_opsetid('', 14)])
    model.ir_version = 7
    onnx.checker.check_model(model)
    onnx.save(model, str(HERE / 'peephole.onnx'))

    y, last_h, last_c = torch.zeros(T, 2, B, H), torch.zeros(2, B, H), torch.zeros(2, B, H)
    for d in range(2):
        W, R, bias, P = [torch.from_numpy(weights[key][d]) for key in 'WRBP']
        p_i, p_o, p_f = P.chunk(3)
        for b, length in enumerate(lengths):
            h, c = torch.from_numpy(inputs['h0'][d, b]), torch.from_numpy(inputs['c0'][d, b])
            for t in range(length) if d == 0 else reversed(range(length)):
                i, o, f, g = (W @ torch.from_numpy(inputs['x'][t, b]) + R @ h + bias[:4 * H] + bias[4 * H:]).chunk(4)
                previous = c
                c = torch.sigmoid(f + p_f * previous) * previous + torch.sigmoid(i + p_i * previous) * torch.tanh(g)
                h = torch.sigmoid(o + p_o * c) * torch.tanh(c)
                y[t, d, b] = h
            last_h[d, b], last_c[d, b] = h, c
    write_case('peephole', inputs, {'y': y, 'h': last_h, 'c': last_c})


def operator_tests():
    """Write operators.json, without tests of unsupported types, outputs and operators."""
    supported = (
        'add sub mul div tanh sigmoid relu softmax logsoftmax matmul gemm gather slice concat transpose expand reshape '
        'flatten squeeze unsqueeze shape constant constantofshape cast identity dropout equal where abs exp leakyrelu '
        'log softplus sqrt layer range'
    ).split()
    excluded = re.compile('expanded|uint8|FLOAT16|STRING|_mask|elements|constant_pad|_opt|_sequence|range_float')
    encoded = lambda path: base64.b64encode(path.read_bytes()).decode()
    tests = {}
    for folder in sorted(TESTS.iterdir()):
        if folder.name.split('_')[1] in supported and not excluded.search(folder.name):
            data = folder / 'test_data_set_0'
            tests[folder.name] = {'model': encoded(folder / 'model.onnx'),
                                  **{f'{kind}s': [encoded(path) for path in sorted(data.glob(f'{kind}_*.pb'))]
                                     for kind in ('input', 'output')}}
    (HERE / 'operators.json').write_text(json.dumps(tests, indent=0) + '\n')
    print(f'{len(tests)} operator tests')


def main():
    HERE.mkdir(exist_ok=True)
    torch.manual_seed(3)
    batch_first = {'x': {0: 'batch', 1: 'time'}, 'y': {0: 'batch', 1: 'time'}, 'h': {1: 'batch'}, 'c': {1: 'batch'}}
    time_major = {'x': {0: 'time', 1: 'batch'}, 'y': {0: 'time', 1: 'batch'}, 'h': {1: 'batch'}, 'h0': {1: 'batch'}}
    export('lstm-bidirectional', Stacked(nn.LSTM(I, H, 2, bidirectional=True, batch_first=True)),
        (torch.randn(2, 3, I),), {'x': torch.randn(3, 6, I)}, ['y', 'h', 'c'], batch_first, 14)
    export('lstm-opset-9', Stacked(nn.LSTM(I, H, 2, bidirectional=True, batch_first=True)), (torch.randn(2, 3, I),),
        {'x': torch.randn(3, 6, I)}, ['y', 'h', 'c'], batch_first, 9)
    export('lstm-not-folded', Stacked(nn.LSTM(I, H, 2, bidirectional=True)), (torch.randn(2, 3, I),),
        {'x': torch.randn(6, 3, I)}, ['y', 'h', 'c'],
        {**time_major, 'c': {1: 'batch'}}, 13, do_constant_folding=False)
    export('gru', Stacked(nn.GRU(I, H, 2)), (torch.randn(2, 3, I), torch.randn(2, 3, H)),
        {'x': torch.randn(6, 3, I), 'h0': torch.randn(2, 3, H)}, ['y', 'h'], time_major, 14)
    export('rnn-relu', Stacked(nn.RNN(I, H, 2, nonlinearity='relu', bias=False)), (torch.randn(2, 3, I),),
        {'x': torch.randn(6, 3, I)}, ['y', 'h'], time_major, 11)
    export('tagger', Tagger(), (torch.tensor([[1, 2, 3]]),), {'ids': torch.tensor([[1, 6, 0, 2, 3], [5, 4, 4, 1, 1]])},
        ['scores'], {'ids': {0: 'batch', 1: 'time'}, 'scores': {0: 'batch', 1: 'time'}}, 14)
    export('classifier', Classifier(), (torch.randn(2, 3, I),), {'x': torch.randn(6, 3, I)}, ['probabilities'],
        {'x': {0: 'time', 1: 'batch'}, 'probabilities': {0: 'batch'}}, 12)
    # For packed sequences the exporter writes a zero state with the batch size of the example. Batch size 1 broadcasts.
    export('packed-lstm', Packed(nn.LSTM(I, H, 2, bidirectional=True, batch_first=True)),
        (torch.randn(1, 4, I), torch.tensor([4])),
        {'x': torch.randn(3, 6, I), 'lengths': torch.tensor([6, 4, 1])}, ['y', 'h', 'c'],
        {**batch_first, 'lengths': {0: 'batch'}}, 14)
    export('packed-gru', Packed(nn.GRU(I, H, bidirectional=True)), (torch.randn(4, 1, I), torch.tensor([4])),
        {'x': torch.randn(6, 3, I), 'lengths': torch.tensor([6, 4, 1])}, ['y', 'h'],
        {**time_major, 'lengths': {0: 'batch'}}, 14)
    export('mixed', Mixed(), (torch.randn(2, 3, I),), {'x': torch.randn(3, 6, I)}, ['z'],
        {'x': {0: 'batch', 1: 'time'}, 'z': {0: 'batch'}}, 16)
    export('learned-state', Learned(), (torch.randn(2, 2, I),), {'x': torch.randn(6, 3, I)}, ['y'], time_major, 14)
    keras_like('keras-lstm', 'LSTM', 12)
    keras_like('keras-gru', 'GRU', 15)
    keras_like('keras-hard-lstm', 'LSTM', 11, hard=True)
    keras_like('keras-hard-gru', 'GRU', 13, hard=True)
    peephole()
    operator_tests()


main()

"""Writes weights of PyTorch modules as safetensors, and their outputs: see README.md in this folder."""
import json, os, struct
import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

here = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'pytorch')
source = f'make_pytorch_golden.py, PyTorch {torch.__version__}, NumPy {np.__version__}, seed 5'
numbers = np.random.RandomState(5)
torch.set_num_threads(1)


def fill(module):
    """Sets distinct weights that are exact in float32."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.from_numpy(np.round(numbers.uniform(-0.7, 0.7, tuple(parameter.shape)) * 2**20) / 2**20).float())
    return module


def write_safetensors(name, module):
    header, data, offset = {'__metadata__': {'format': 'pt', 'source': source}}, b'', 0
    for key, value in module.state_dict().items():
        raw = value.detach().contiguous().numpy().astype('<f4').tobytes()
        header[key] = {'dtype': 'F32', 'shape': list(value.shape), 'data_offsets': [offset, offset + len(raw)]}
        data, offset = data + raw, offset + len(raw)
    text = json.dumps(header).encode()
    text += b' ' * (-len(text) % 8)
    with open(os.path.join(here, name + '.safetensors'), 'wb') as file:
        file.write(struct.pack('<Q', len(text)) + text + data)


def tensor(x):
    x = np.asarray(x.detach().numpy() if isinstance(x, torch.Tensor) else x)
    return {'shape': list(x.shape), 'data': [float(v) if x.dtype.kind == 'f' else int(v) for v in x.reshape(-1)]}


class Tagger(nn.Module):
    """Embedding, two bidirectional layers, LayerNorm, Linear: one output per step."""
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(11, 5)
        self.encoder = nn.ModuleDict({'rnn': nn.LSTM(5, 4, num_layers=2, bidirectional=True)})
        self.norm = nn.LayerNorm(8)
        self.fc = nn.Linear(8, 3)

    def forward(self, ids, lengths):
        packed = pack_padded_sequence(self.embedding(ids), lengths, enforce_sorted=False)
        return self.fc(self.norm(pad_packed_sequence(self.encoder['rnn'](packed)[0])[0]))


class Bare(nn.Module):
    def __init__(self, rnn, head=None):
        super().__init__()
        self.rnn, self.head = rnn, head

    def forward(self, xs, lengths):
        outputs, _ = self.rnn(pack_padded_sequence(xs, lengths, enforce_sorted=False))
        outputs, _ = pad_packed_sequence(outputs)
        return outputs if self.head is None else self.head(outputs)


lengths = torch.tensor([6, 2, 4])
valid = (torch.arange(6)[:, None] < lengths[None, :])[:, :, None]
cases = {}


def case(name, model, xs, saved=None):
    fill(model).eval()
    write_safetensors(name, model if saved is None else saved)
    cases[name] = {'inputs': tensor(xs), 'outputs': tensor(torch.where(valid, model(xs, lengths), torch.zeros(())))}


vectors = torch.from_numpy(np.round(numbers.uniform(-1, 1, (6, 3, 3)) * 2**20) / 2**20).float()
case('tagger', Tagger(), torch.from_numpy(numbers.randint(0, 11, (6, 3))))
case('gru-without-bias', Bare(nn.GRU(3, 5, num_layers=2, bias=False), nn.Linear(5, 2, bias=False)), vectors)
case('gru', Bare(nn.GRU(3, 4, bidirectional=True)), vectors)
relu = Bare(nn.RNN(3, 4, nonlinearity='relu', bidirectional=True))
case('rnn-relu', relu, vectors, relu.rnn)
case('projected', Bare(nn.LSTM(3, 6, num_layers=2, proj_size=2, bidirectional=True), nn.Linear(4, 2)), vectors)
without_bias = nn.LSTM(3, 4, num_layers=2, bidirectional=True, bias=False)
case('lstm-without-bias', Bare(without_bias, nn.Linear(8, 2, bias=False)), vectors)
with open(os.path.join(here, 'cases.json'), 'w') as file:
    json.dump({'source': source, 'lengths': lengths.tolist(), 'cases': cases}, file, separators=(',', ':'))

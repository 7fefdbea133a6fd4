"""Checks that PyTorch loads the output of toPyTorch and computes the same outputs as with its own weights.

Run after npm run build: /usr/bin/python3 test/golden/check_pytorch.py
"""
import json, os, struct, subprocess, tempfile
import numpy as np
import torch
import make_pytorch_golden as golden  # regenerates its files

program = """
import { readFileSync, writeFileSync } from 'node:fs';
import { readSafetensors, sequential, writeSafetensors } from 'bptt';
import { fromPyTorch, inferModel, toPyTorch } from 'bptt/pytorch';
for (const [name, withoutBias, nonlinearity] of [['tagger', []], ['gru', []], ['gru-without-bias', ['rnn', 'head']], ['projected', []], ['rnn-relu', [], 'relu']]) {
  const { tensors } = readSafetensors(readFileSync(`test/golden/pytorch/${name}.safetensors`));
  const inferred = inferModel(tensors, { nonlinearity });
  const model = sequential(inferred.layers, { inputSize: inferred.inputSize });
  fromPyTorch(model, tensors, inferred);
  writeFileSync(`${process.argv[1]}/${name}.safetensors`, writeSafetensors(toPyTorch(model, { modules: inferred.modules, withoutBias })));
}"""


def read_safetensors(path):
    with open(path, 'rb') as file:
        raw = file.read()
    size, = struct.unpack('<Q', raw[:8])
    header, data = json.loads(raw[8:8 + size]), raw[8 + size:]
    return {k: torch.from_numpy(np.frombuffer(data[v['data_offsets'][0]:v['data_offsets'][1]], '<f4').reshape(v['shape']).copy())
            for k, v in header.items() if k != '__metadata__'}


with tempfile.TemporaryDirectory() as folder:
    subprocess.run(['node', '--input-type=module', '-e', program, folder], check=True)
    nn = golden.nn
    models = {
        'tagger': golden.Tagger(), 'gru': golden.Bare(nn.GRU(3, 4, bidirectional=True)),
        'gru-without-bias': golden.Bare(nn.GRU(3, 5, num_layers=2, bias=False), nn.Linear(5, 2, bias=False)),
        'projected': golden.Bare(nn.LSTM(3, 6, num_layers=2, proj_size=2, bidirectional=True), nn.Linear(4, 2)),
        'rnn-relu': golden.Bare(nn.RNN(3, 4, nonlinearity='relu', bidirectional=True)),
    }
    for name, model in models.items():
        state = read_safetensors(f'{folder}/{name}.safetensors')
        (model.rnn if name == 'rnn-relu' else model).load_state_dict(state, strict=True)
        case = golden.cases[name]
        xs = torch.tensor(case['inputs']['data']).reshape(case['inputs']['shape'])
        got = torch.where(golden.valid, model(xs, golden.lengths), torch.zeros(())).detach().numpy().reshape(-1)
        print(name, 'largest difference', np.abs(got - np.array(case['outputs']['data'])).max())

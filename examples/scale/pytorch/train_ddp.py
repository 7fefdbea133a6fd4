"""Trains the model of round-trip.ts with PyTorch, with DistributedDataParallel on `world` processes.

Usage: python3 train_ddp.py FOLDER WORLD. Reads weights.safetensors and data.safetensors in the folder, and writes
trained-WORLD.safetensors and losses-WORLD.json. On several machines, start it with torchrun instead of spawn.
"""

import json
import math
import os
import socket
import struct
import sys

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.nn.parallel import DistributedDataParallel


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = torch.nn.LSTM(4, 32)
        self.fc = torch.nn.Linear(32, 1)
        # bptt has one bias per gate. With two that are trained, its learning rate would be doubled.
        self.rnn.bias_hh_l0.requires_grad_(False)

    def forward(self, x):
        return self.fc(self.rnn(x)[0][-1])


# With pip, the package safetensors does both.
def load_file(path):
    with open(path, 'rb') as file:
        (length,) = struct.unpack('<Q', file.read(8))
        header = json.loads(file.read(length))
        data = bytearray(file.read())
    header.pop('__metadata__', None)
    return {
        name: torch.frombuffer(
            data, dtype=torch.float32, count=math.prod(entry['shape']), offset=entry['data_offsets'][0]
        ).reshape(entry['shape']).clone()
        for name, entry in header.items()
    }


def save_file(tensors, path):
    header, chunks, offset = {}, [], 0
    for name, tensor in tensors.items():
        chunk = tensor.detach().contiguous().numpy().tobytes()
        header[name] = {'dtype': 'F32', 'shape': list(tensor.shape), 'data_offsets': [offset, offset + len(chunk)]}
        chunks.append(chunk)
        offset += len(chunk)
    text = json.dumps(header).encode()
    with open(path, 'wb') as file:
        file.write(struct.pack('<Q', len(text)) + text + b''.join(chunks))


def train(rank, world, port, folder):
    torch.set_num_threads(1)
    dist.init_process_group('gloo', init_method=f'tcp://127.0.0.1:{port}', rank=rank, world_size=world)
    model = Model()
    model.load_state_dict(load_file(f'{folder}/weights.safetensors'))
    parallel = DistributedDataParallel(model)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    data = load_file(f'{folder}/data.safetensors')
    losses = []
    for inputs, targets in zip(data['inputs'], data['targets']):
        # Every process has its part of the rows. The mean of the means is the mean, as the parts are equal.
        x, y = inputs.chunk(world, dim=1)[rank], targets.chunk(world)[rank]
        loss = torch.nn.functional.mse_loss(parallel(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        mean = loss.detach().clone()
        dist.all_reduce(mean)
        losses.append(mean.item() / world)
    if rank == 0:
        save_file(model.state_dict(), f'{folder}/trained-{world}.safetensors')
        with open(f'{folder}/losses-{world}.json', 'w') as file:
            json.dump(losses, file)
    dist.destroy_process_group()


if __name__ == '__main__':
    # Peers find each other, and connect, through the loopback interface only.
    os.environ.setdefault('GLOO_SOCKET_IFNAME', 'lo')
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    mp.spawn(train, args=(int(sys.argv[2]), port, sys.argv[1]), nprocs=int(sys.argv[2]))

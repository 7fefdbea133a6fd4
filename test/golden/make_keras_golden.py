"""Create files in the format of Keras 3, with the outputs of their models.

Keras itself is not installed: h5py and zipfile write the layout that its source code defines
(keras/src/saving/saving_lib.py), and NumPy computes the outputs from the definitions of the layers. See README.md.
"""
import io, json, os, struct, zipfile
import h5py
import numpy as np

here = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'keras')
source = f'make_keras_golden.py, h5py {h5py.__version__}, NumPy {np.__version__}, seed 11; Keras itself was not run'
random = np.random.RandomState(11)


def weight(*shape):
    return (np.round(random.uniform(-0.8, 0.8, shape) * 2**18) / 2**18).astype('<f4')


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


activations = {'linear': lambda x: x, 'tanh': np.tanh, 'relu': lambda x: np.maximum(x, 0), 'sigmoid': sigmoid,
    'softmax': softmax}


def run(kind, config, weights, x):
    """Run a recurrent layer over [B, T, I]. Return all outputs, in the order in which the steps run."""
    kernel, recurrent = weights[0].astype(float), weights[1].astype(float)
    H = config['units']
    h = c = np.zeros((x.shape[0], H))
    outputs = []
    for t in (reversed(range(x.shape[1])) if config.get('go_backwards') else range(x.shape[1])):
        z = x[:, t] @ kernel
        if kind == 'SimpleRNN':
            h = activations[config['activation']](z + h @ recurrent + (weights[2] if config['use_bias'] else 0))
        elif kind == 'LSTM':
            i, f, g, o = np.split(z + h @ recurrent + (weights[2] if config['use_bias'] else 0), 4, axis=1)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
        elif config['reset_after']:
            bias = weights[2] if config['use_bias'] else np.zeros((2, 3 * H))
            xz, xr, xh = np.split(z + bias[0], 3, axis=1)
            hz, hr, hh = np.split(h @ recurrent + bias[1], 3, axis=1)
            update, reset = sigmoid(xz + hz), sigmoid(xr + hr)
            h = update * h + (1 - update) * np.tanh(xh + reset * hh)
        else:
            xz, xr, xh = np.split(z + (weights[2] if config['use_bias'] else 0), 3, axis=1)
            update, reset = sigmoid(xz + h @ recurrent[:, :H]), sigmoid(xr + h @ recurrent[:, H:2 * H])
            h = update * h + (1 - update) * np.tanh(xh + (reset * h) @ recurrent[:, 2 * H:])
        outputs.append(h)
    return np.stack(outputs, axis=1)


def recurrent(kind, units, size, **options):
    gates = {'SimpleRNN': 1, 'LSTM': 4, 'GRU': 3}[kind]
    config = {'name': kind.lower(), 'trainable': True, 'dtype': policy, 'return_sequences': False,
              'return_state': False, 'go_backwards': False, 'stateful': False, 'unroll': False,
              'zero_output_for_mask': False, 'units': units, 'activation': 'tanh', 'use_bias': True, 'dropout': 0.0,
              'recurrent_dropout': 0.0, 'seed': None}
    if kind != 'SimpleRNN':
        config['recurrent_activation'] = 'sigmoid'
    if kind == 'GRU':
        config['reset_after'] = True
    config.update(options)
    weights = [weight(size, gates * units), weight(units, gates * units)]
    if config['use_bias']:
        weights.append(weight(2, 3 * units) if kind == 'GRU' and config['reset_after'] else weight(gates * units))
    return kind, config, weights


policy = {'module': 'keras', 'class_name': 'DTypePolicy', 'config': {'name': 'float32'}, 'registered_name': None}


def serialized(kind, config, shape=None):
    return {'module': 'keras.layers', 'class_name': kind, 'config': config, 'registered_name': None,
        **({'build_config': {'input_shape': shape}} if shape else {})}


class Model:
    """A chain of layers: their configurations, their weights by path inside the layer, and the output of the chain."""
    def __init__(self, name, inputs, functional=False):
        self.name, self.functional, self.x = name, functional, np.asarray(inputs)
        self.inputs, self.layers = self.x, []
        shape = [None] + list(self.x.shape[1:])
        dtype = 'float32' if self.x.dtype.kind == 'f' else 'int64'
        self.add('InputLayer', {'batch_shape': shape, 'dtype': dtype, 'sparse': False, 'ragged': False,
            'name': 'input_layer'}, {}, lambda x: x)

    def add(self, kind, config, weights, forward):
        shape = [None] + list(self.x.shape[1:])
        self.layers.append((kind, {'trainable': True, 'dtype': policy, **config} if kind != 'InputLayer' else config,
            weights, shape))
        self.x = forward(self.x.astype(float) if kind not in ('Embedding', 'InputLayer') else self.x)
        return self

    def embedding(self, rows, size, **options):
        table = weight(rows, size)
        return self.add('Embedding', {'name': 'embedding', 'input_dim': rows, 'output_dim': size, 'mask_zero': False,
            **options}, {'vars/0': table}, lambda x: table[x])

    def recurrent(self, kind, units, **options):
        kind, config, weights = recurrent(kind, units, self.x.shape[-1], **options)

        def forward(x):
            outputs = run(kind, config, weights, x)
            return outputs if config['return_sequences'] else outputs[:, -1]
        return self.add(kind, config, {f'cell/vars/{i}': w for i, w in enumerate(weights)}, forward)

    def bidirectional(self, kind, units, merge_mode='concat', **options):
        size = self.x.shape[-1]
        kind, config, forward_weights = recurrent(kind, units, size, **options)
        _, _, backward_weights = recurrent(kind, units, size, **options)
        back = {**config, 'go_backwards': True, 'name': 'backward_' + config['name']}
        merges = {
            'concat': lambda a, b: np.concatenate([a, b], -1),
            'sum': lambda a, b: a + b,
            'ave': lambda a, b: (a + b) / 2,
            'mul': lambda a, b: a * b,
        }

        def forward(x):
            a, b = run(kind, config, forward_weights, x), run(kind, back, backward_weights, x)
            merge = merges[merge_mode]
            return merge(a, b[:, ::-1]) if config['return_sequences'] else merge(a[:, -1], b[:, -1])
        outer = {'name': 'bidirectional', 'merge_mode': merge_mode,
            'layer': serialized(kind, {**config, 'name': 'forward_' + config['name']}),
            'backward_layer': serialized(kind, back)}
        weights = {f'{side}_layer/cell/vars/{i}': w
                   for side, ws in (('forward', forward_weights), ('backward', backward_weights))
                   for i, w in enumerate(ws)}
        return self.add('Bidirectional', outer, weights, forward)

    def dense(self, units, activation='linear', distributed=False, use_bias=True, **options):
        kernel, bias = weight(self.x.shape[-1], units), weight(units)
        config = {'name': 'dense', 'trainable': True, 'dtype': policy, 'units': units, 'activation': activation,
            'use_bias': use_bias, **options}
        weights = {'vars/0': kernel, **({'vars/1': bias} if use_bias else {})}
        forward = lambda x: activations[activation](x @ kernel + (bias if use_bias else 0))
        if distributed:
            return self.add('TimeDistributed', {'name': 'time_distributed', 'layer': serialized('Dense', config)},
                {'layer/' + k: w for k, w in weights.items()}, forward)
        return self.add('Dense', config, weights, forward)

    def layer_normalization(self, epsilon=0.001):
        gamma, beta = weight(self.x.shape[-1]), weight(self.x.shape[-1])

        def forward(x):
            centered = x - x.mean(-1, keepdims=True)
            return gamma * centered / np.sqrt((centered ** 2).mean(-1, keepdims=True) + epsilon) + beta
        config = {'name': 'layer_normalization', 'axis': -1, 'epsilon': epsilon, 'center': True, 'scale': True,
            'rms_scaling': False}
        return self.add('LayerNormalization', config, {'vars/0': gamma, 'vars/1': beta}, forward)

    def dropout(self, rate):
        return self.add('Dropout', {'name': 'dropout', 'rate': rate, 'seed': None, 'noise_shape': None},
            {'seed_generator/vars/0': np.array([1, 2], '<u4')}, lambda x: x)

    def paths(self):
        """The weights by their paths in the file, with classes in snake case, numbered from the second on."""
        snake = {'LSTM': 'lstm', 'GRU': 'gru', 'SimpleRNN': 'simple_rnn', 'Dense': 'dense', 'Embedding': 'embedding',
                 'Bidirectional': 'bidirectional', 'Dropout': 'dropout',
                 'TimeDistributed': 'time_distributed', 'LayerNormalization': 'layer_normalization',
                 'InputLayer': 'input_layer'}
        used, found = {}, {}
        for kind, _, weights, _ in self.layers if self.functional else self.layers[1:]:
            count = used.get(kind, 0)
            used[kind] = count + 1
            for path, w in weights.items():
                found[f'layers/{snake[kind]}{"" if count == 0 else f"_{count}"}/{path}'] = w
        return found

    def config(self):
        named, used = [], {}
        for kind, config, _, shape in self.layers:
            count = used.get(config['name'], 0)
            used[config['name']] = count + 1
            named.append((kind, {**config, 'name': config['name'] if count == 0 else f'{config["name"]}_{count}'},
                shape))
        layers = []
        for i, (kind, config, shape) in enumerate(named):
            entry = serialized(kind, config, None if kind == 'InputLayer' else shape)
            if self.functional:
                previous = named[i - 1][1]['name'] if i else None
                tensor = {'class_name': '__keras_tensor__',
                          'config': {'shape': shape, 'dtype': 'float32', 'keras_history': [previous, 0, 0]}}
                call = {'args': [tensor], 'kwargs': {'training': False} if kind == 'Dropout' else {}}
                entry = {**entry, 'name': config['name'], 'inbound_nodes': [] if i == 0 else [call]}
            layers.append(entry)
        if not self.functional:
            inner = {'name': 'sequential', 'trainable': True, 'dtype': policy, 'layers': layers,
                'build_input_shape': layers[0]['config']['batch_shape']}
            return {'module': 'keras', 'class_name': 'Sequential', 'config': inner, 'registered_name': None,
                'build_config': {'input_shape': layers[0]['config']['batch_shape']}}
        inner = {'name': 'functional', 'trainable': True, 'layers': layers,
            'input_layers': [[named[0][1]['name'], 0, 0]], 'output_layers': [[named[-1][1]['name'], 0, 0]]}
        return {'module': 'keras.src.models.functional', 'class_name': 'Functional', 'config': inner,
            'registered_name': 'Functional', 'build_config': {'input_shape': None},
                'compile_config': {'optimizer': 'rmsprop', 'loss': 'mse'}}

    def h5(self, extra={}):
        raw = io.BytesIO()
        with h5py.File(raw, 'w') as file:
            for path, w in {**self.paths(), **extra}.items():
                file[path] = w
            for path in ('layers', *self.paths()):
                group = file[path] if path == 'layers' else file[path].parent
                if group.name.endswith('/vars'):
                    group.attrs['name'] = group.parent.name.split('/')[-1]
        return raw.getvalue()


def tensor(x):
    return {'shape': list(x.shape), 'data': [float(v) if x.dtype.kind == 'f' else int(v) for v in x.reshape(-1)]}


vectors = lambda B, T, I: np.round(random.uniform(-1, 1, (B, T, I)) * 2**16) / 2**16
models = [
    Model('tagger', random.randint(0, 9, (3, 6))).embedding(9, 4)
        .bidirectional('LSTM', 3, return_sequences=True).layer_normalization().dropout(0.3)
        .recurrent('GRU', 4, return_sequences=True, dropout=0.1).dense(2, 'softmax', distributed=True),
    Model('functional', vectors(3, 5, 3), functional=True)
        .recurrent('SimpleRNN', 4, activation='relu', return_sequences=True)
        .recurrent('GRU', 3, reset_after=False).dropout(0.2).dense(2, 'tanh'),
    Model('stacked', vectors(2, 5, 2)).recurrent('LSTM', 3, return_sequences=True, use_bias=False)
        .recurrent('LSTM', 2, return_sequences=True)
        .bidirectional('GRU', 3, merge_mode='ave', return_sequences=True, use_bias=False)
        .recurrent('LSTM', 4, go_backwards=True).dense(3, use_bias=False).dense(2, 'sigmoid'),
    Model('last-of-both', vectors(2, 4, 3)).bidirectional('SimpleRNN', 2, merge_mode='mul').dense(2, 'relu'),
]
cases = {}
for model in models:
    optimizer = {}
    if model.functional:
        optimizer = {'optimizer/vars/0': np.array(7, '<i8'), 'optimizer/vars/1': np.array(0.001, '<f4')}
    weights_h5 = model.h5(optimizer)
    if model.name == 'tagger':
        with open(os.path.join(here, f'{model.name}.weights.h5'), 'wb') as file:
            file.write(weights_h5)
    with zipfile.ZipFile(os.path.join(here, f'{model.name}.keras'), 'w') as archive:
        metadata = {'keras_version': '3.6.0', 'date_saved': '2024-10-01@00:00:00'}
        for name, content in (('metadata.json', json.dumps(metadata)), ('config.json', json.dumps(model.config())),
                              ('model.weights.h5', weights_h5)):
            archive.writestr(zipfile.ZipInfo(name, (2024, 10, 1, 0, 0, 0)), content)
    cases[model.name] = {'inputs': tensor(model.inputs), 'outputs': tensor(model.x)}

# The tagger in the format of the TensorFlow.js converter for Keras 3: weights are named by their HDF5 paths, and module
# and registered_name are left out.
def without(value, keys):
    if isinstance(value, dict):
        return {k: without(v, keys) for k, v in value.items() if k not in keys}
    return [without(v, keys) for v in value] if isinstance(value, list) else value


tagger = models[0]
paths = {k: v for k, v in tagger.paths().items() if 'seed_generator' not in k}
manifest = [{'paths': ['group1-shard1of1.bin'],
             'weights': [{'name': k, 'shape': list(v.shape), 'dtype': 'float32'} for k, v in paths.items()]}]
with open(os.path.join(here, 'tagger-tfjs.json'), 'w') as file:
    model_config = without(tagger.config(), ['module', 'registered_name', 'date_saved'])
    json.dump({'format': 'layers-model', 'generatedBy': 'keras v3.6.0',
               'convertedBy': 'TensorFlow.js Converter v4.22.0',
               'modelTopology': {'keras_version': '3.6.0', 'model_config': model_config},
               'weightsManifest': manifest}, file, separators=(',', ':'))
with open(os.path.join(here, 'tagger-tfjs.bin'), 'wb') as file:
    file.write(b''.join(v.tobytes() for v in paths.values()))

# The same for Keras 2, which has other configurations and variable names.
def keras2(value):
    if isinstance(value, dict):
        excluded = ('build_config', 'build_input_shape', 'backward_layer', 'zero_output_for_mask', 'rms_scaling',
                    'seed', 'dtype')
        value = {k: keras2(v) for k, v in value.items() if k not in excluded}
        return {('batch_input_shape' if k == 'batch_shape' else k): v for k, v in value.items()}
    return [keras2(v) for v in value] if isinstance(value, list) else value


names2 = {
    'layers/embedding/vars/0': 'embedding/embeddings', 'layers/layer_normalization/vars/0': 'layer_normalization/gamma',
    'layers/layer_normalization/vars/1': 'layer_normalization/beta',
    'layers/time_distributed/layer/vars/0': 'time_distributed/kernel',
    'layers/time_distributed/layer/vars/1': 'time_distributed/bias',
    **{f'layers/gru/cell/vars/{i}': f'gru/gru_cell/{role}'
       for i, role in enumerate(['kernel', 'recurrent_kernel', 'bias'])},
    **{f'layers/bidirectional/{side}_layer/cell/vars/{i}': f'bidirectional/{side}_lstm/lstm_cell_{n}/{role}'
       for n, side in ((1, 'forward'), (2, 'backward'))
       for i, role in enumerate(['kernel', 'recurrent_kernel', 'bias'])},
}
manifest = [{'paths': ['group1-shard1of1.bin'],
             'weights': [{'name': names2[k], 'shape': list(v.shape), 'dtype': 'float32'} for k, v in paths.items()]}]
with open(os.path.join(here, 'tagger-tfjs-keras2.json'), 'w') as file:
    model_config = keras2(without(tagger.config(), ['module', 'registered_name']))
    json.dump({'format': 'layers-model', 'generatedBy': 'keras v2.12.0',
               'convertedBy': 'TensorFlow.js Converter v4.4.0',
               'modelTopology': {'keras_version': '2.12.0', 'backend': 'tensorflow', 'model_config': model_config},
               'weightsManifest': manifest}, file, separators=(',', ':'))

# The weights by variable path, as safetensors.
roles = {'Embedding': ['embeddings'], 'Dense': ['kernel', 'bias'], 'LayerNormalization': ['gamma', 'beta'],
         'cell': ['kernel', 'recurrent_kernel', 'bias']}
names = {
    'layers/embedding/vars': ('sequential/embedding', 'Embedding'),
    'layers/bidirectional/forward_layer/cell/vars': ('sequential/bidirectional/forward_lstm/lstm_cell', 'cell'),
    'layers/bidirectional/backward_layer/cell/vars': ('sequential/bidirectional/backward_lstm/lstm_cell', 'cell'),
    'layers/layer_normalization/vars': ('sequential/layer_normalization', 'LayerNormalization'),
    'layers/gru/cell/vars': ('sequential/gru/gru_cell', 'cell'),
    'layers/time_distributed/layer/vars': ('sequential/time_distributed/dense', 'Dense'),
}
header, data = {'__metadata__': {'source': source}}, b''
for path, w in paths.items():
    folder, index = path.rsplit('/', 1)
    name = f'{names[folder][0]}/{roles[names[folder][1]][int(index)]}'
    header[name] = {'dtype': 'F32', 'shape': list(w.shape), 'data_offsets': [len(data), len(data) + w.nbytes]}
    data += w.tobytes()
text = json.dumps(header).encode()
text += b' ' * (-len(text) % 8)
with open(os.path.join(here, 'tagger.safetensors'), 'wb') as file:
    file.write(struct.pack('<Q', len(text)) + text + data)
with open(os.path.join(here, 'cases.json'), 'w') as file:
    json.dump({'source': source, 'cases': cases}, file, separators=(',', ':'))

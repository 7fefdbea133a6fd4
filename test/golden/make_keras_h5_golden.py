"""Writes test/golden/keras/legacy*.h5: whole models in the layout of Keras 2 (keras/saving/legacy/hdf5_format.py).

    python3 test/golden/make_keras_h5_golden.py

Keras itself is not installed. The weights follow the formula of `weight` in test/formats/keras-files.ts.
"""
import json, os
import h5py
import numpy as np

folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'keras')


def weight(*shape):
    i = np.arange(int(np.prod(shape)))
    return (0.8 * np.sin(1 + 1.7 * i + len(shape))).astype('<f4').reshape(shape)


lstm = {'name': 'lstm_4', 'trainable': True, 'batch_input_shape': [None, 3, 2], 'dtype': 'float32', 'units': 3,
        'return_sequences': False, 'return_state': False, 'go_backwards': False, 'stateful': False,
        'activation': 'tanh', 'recurrent_activation': 'hard_sigmoid', 'use_bias': True, 'dropout': 0.0,
        'recurrent_dropout': 0.0, 'implementation': 1}
dense = {'name': 'head', 'trainable': True, 'dtype': 'float32', 'units': 2, 'activation': 'linear', 'use_bias': True}
config = {'class_name': 'Sequential', 'config': {'name': 'sequential_4', 'layers': [
    {'class_name': 'LSTM', 'config': lstm}, {'class_name': 'Dense', 'config': dense}]}}
weights = {'lstm_4': {'lstm_4/lstm_cell_4/kernel:0': weight(2, 12), 'lstm_4/lstm_cell_4/recurrent_kernel:0': weight(3, 12),
                      'lstm_4/lstm_cell_4/bias:0': weight(12)},
           'head': {'head/kernel:0': weight(3, 2), 'head/bias:0': weight(2)}}


def write(name, libver=None, **options):
    with h5py.File(os.path.join(folder, f'{name}.h5'), 'w', libver=libver) as f:
        f.attrs['keras_version'], f.attrs['backend'] = b'2.13.1', b'tensorflow'
        f.attrs['model_config'] = json.dumps(config).encode()
        f.attrs['training_config'] = json.dumps({'loss': 'mse', 'optimizer_config': {'class_name': 'Adam'}}).encode()
        g = f.create_group('model_weights')
        g.attrs['layer_names'] = np.array(list(weights), 'S')
        g.attrs['backend'], g.attrs['keras_version'] = b'tensorflow', b'2.13.1'
        for layer, variables in weights.items():
            group = g.create_group(layer)
            group.attrs['weight_names'] = np.array(list(variables), 'S')
            for variable, value in variables.items():
                group.create_dataset(variable, data=value, **options)
        g.create_group('top_level_model_weights').attrs['weight_names'] = np.array([], 'S')
        o = f.create_group('optimizer_weights')
        names = ['iteration:0'] + [f'Adam/{m}/{v}' for m in 'mv' for variables in weights.values() for v in variables]
        o.attrs['weight_names'] = np.array(names, 'S')
        o['iteration:0'] = np.int64(40)
        for variables in weights.values():
            for variable, value in variables.items():
                for m in 'mv':
                    o[f'Adam/{m}/{variable}'] = np.full_like(value, 9)


write('legacy')
write('legacy-gzip', compression='gzip', shuffle=True)
write('legacy-latest', libver='latest', compression='gzip')

"""Writes test/golden/hdf5/files.zip: HDF5 files of each kind that h5py writes, and in expected.json what h5py reads from them.

    /usr/bin/python3 test/golden/make_hdf5_golden.py
"""
import base64, io, json, os, zipfile
import h5py
import numpy as np

random = np.random.RandomState(5)
files, expected = {}, {}


def weights(*shape):
    return random.standard_normal(shape).astype('<f4')


def read(f):
    """The floating-point datasets in single precision by path, and the paths of all others."""
    tensors, others = {}, []

    def visit(group, path):
        for name, item in group.items():
            if isinstance(item, h5py.Group):
                visit(item, path + [name])
            elif item.dtype.kind == 'f':
                shape, values = ([0], np.zeros(0, '<f4')) if item.shape is None else (item.shape, item[()])
                with np.errstate(all='ignore'):
                    tensors['/'.join(path + [name])] = {'shape': list(shape), 'bytes': base64.b64encode(np.asarray(values).astype('<f4').tobytes()).decode()}
            else:
                others.append('/'.join(path + [name]))
    visit(f, [])
    return {'tensors': tensors, 'others': sorted(others)}


def file(name, write, unsupported=False, **options):
    """Writes a file in memory, as Keras does before it adds the file to an archive."""
    memory = io.BytesIO()
    with h5py.File(memory, 'w', **options) as f:
        write(f)
        if not unsupported:
            expected[name] = read(f)
    files[name] = memory.getvalue()


def keras(f):
    for layer in ('embedding', 'lstm/cell', 'bidirectional/forward_layer/cell', 'bidirectional/backward_layer/cell', 'dense'):
        group = f.create_group(f'layers/{layer}/vars')
        group.attrs['name'] = layer
        for i in range(3):
            group[str(i)] = weights(2, 3)
    f.create_group('vars')
    f['optimizer/vars/0'] = np.int64(12)


def children(count, make):
    return lambda f: [make(f, int(i)) for i in random.permutation(count)]


def types(f):
    values = np.array([0, -0.0, 1, -2.5, 1e-45, 1e-40, 6e-8, 6.1e-5, 65504, 70000, 1e38, 3.4028235e38, 1e39, np.inf, -np.inf, np.nan, 0.1, 1 / 3])
    with np.errstate(all='ignore'):
        for code in ('<f2', '>f2', '<f4', '>f4', '<f8', '>f8'):
            f[code.replace('<', 'little-').replace('>', 'big-')] = values.astype(code)


def shapes(f):
    f['scalar'], f['double'], f['one'], f['four'], f['thirty-two'] = np.float32(3.5), np.float64(2.5), weights(1), weights(2, 3, 4, 5), weights(*[1] * 32)
    f['empty'], f['empty inside'], f['of no shape'] = np.zeros(0, 'f4'), np.zeros((3, 0, 2), 'f4'), h5py.Empty('f4')


def compact(f):
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_layout(h5py.h5d.COMPACT)
    for code, shape in (('<f4', (3,)), ('>f8', (2, 3)), ('<f2', (5,)), ('<f4', ()), ('<f4', (0,))):
        values = np.asarray(random.standard_normal(shape)).astype(code)
        space = h5py.h5s.create_simple(shape) if shape else h5py.h5s.create(h5py.h5s.SCALAR)
        dataset = h5py.h5d.create(f.id, f'{code} {shape}'.encode(), h5py.h5t.py_create(np.dtype(code), logical=1), space, properties)
        if values.size:
            dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, values)


def others(f):
    f['int'], f['unsigned'], f['bool'] = np.arange(3, dtype='i4'), np.uint64(3), np.array([True, False])
    f['text'], f['fixed'], f['texts'] = 'text', np.array([b'ab', b'c']), np.array(['ä', 'b'], dtype=h5py.string_dtype())
    f.create_dataset('enum', (1,), dtype=h5py.enum_dtype({'a': 0}))
    ragged = f.create_dataset('ragged', (2,), dtype=h5py.vlen_dtype(np.dtype('f4')))
    ragged[0], ragged[1] = [1, 2], [3]
    f['weight'] = weights(2)


def attributes(f):
    for item in (f, f.create_group('group'), f.create_dataset('group/weight', data=weights(4))):
        item.attrs['name'], item.attrs['fixed'], item.attrs['fixed names'] = 'lstm', np.bytes_(b'text'), np.array([b'a', b'bcd'])
        item.attrs['names'] = np.array(['a', 'ü'], dtype=h5py.string_dtype())
        item.attrs['int'], item.attrs['float'], item.attrs['many'], item.attrs['of no shape'] = 3, 2.5, np.arange(60.), h5py.Empty('f4')
        item.attrs['bool'], item.attrs['complex'], item.attrs['reference'], item.attrs['long name' * 20] = True, 1j, f.ref, 'x' * 2000
        for i in range(40):
            item.attrs[f'a{i}'] = 'x' * i
        for i in range(0, 40, 3):
            del item.attrs[f'a{i}']


def headers_in_pieces(f):
    for i in range(20):
        f[f'w{i}'] = weights(2)
        f.attrs[f'a{i}'] = 'x' * i * 30
        f[f'w{i // 2}'].attrs[f'b{i}'] = np.arange(i)


def changed(f):
    for i in range(60):
        f[f'w{i}'] = weights(3)
    for i in range(0, 60, 2):
        del f[f'w{i}']
    for i in range(1, 60, 4):
        f.move(f'w{i}', f'moved/to/{i}')
    for i in range(200, 210):
        f[f'w{i}'] = weights(3)


def names(f):
    for length in (8, 100, 1000, 4000):
        f['n' * length] = weights(1)
    for name in ('__proto__', 'constructor', 'toString', 'a b', '.hidden', 'a\\b', '"q"', '__proto', 'group/__proto__'):
        f[name] = weights(1)


def linked(make):
    def write(f):
        f['a/x'] = weights(2)
        make(f)
    return write


def virtual(f):
    layout = h5py.VirtualLayout((4,), 'f4')
    layout[:] = h5py.VirtualSource('other.h5', 'x', (4,))
    f.create_virtual_dataset('x', layout)


def put(f, name, value):
    f[name] = value


file('keras', keras)
file('nothing', lambda f: None)
for count in (1, 8, 9, 300, 1000):
    file(f'{count} children', children(count, lambda f, i: put(f, f'w{i}', np.float32(i))))
file('90 groups', children(90, lambda f, i: put(f, f'layers/layer_{i}/vars/0', np.float32(i))))
file('types', types)
file('shapes', shapes)
file('compact', compact)
file('others', others)
file('attributes', attributes)
file('headers in pieces', headers_in_pieces)
file('changed', changed)
file('names', names)
file('forty deep', lambda f: put(f, '/'.join(['g'] * 40), weights(1)))
file('track_times', lambda f: f.create_dataset('x', data=weights(3), track_times=True))
file('libver v108', lambda f: put(f, 'a/x', weights(3)), libver=('earliest', 'v108'))

for name, write, options in (
    ('chunks', lambda f: f.create_dataset('x', data=weights(4, 4), chunks=(2, 2)), {}),
    ('resizable', lambda f: f.create_dataset('x', data=weights(4), maxshape=(None,)), {}),
    ('gzip', lambda f: f.create_dataset('x', data=weights(4, 4), compression='gzip'), {}),
    ('shuffle', lambda f: f.create_dataset('x', data=weights(4, 4), shuffle=True), {}),
    ('never written', lambda f: f.create_dataset('x', (3,), 'f4'), {}),
    ('external storage', lambda f: f.create_dataset('x', (4,), 'f4', external=[('other.bin', 0, 16)]), {}),
    ('virtual', virtual, {}),
    ('soft link', linked(lambda f: put(f, 'b', h5py.SoftLink('/a/x'))), {}),
    ('external link', linked(lambda f: put(f, 'b', h5py.ExternalLink('other.h5', '/x'))), {}),
    ('hard link', linked(lambda f: put(f, 'b', f['a/x'])), {}),
    ('loop', linked(lambda f: put(f, 'a/root', f['/'])), {}),
    ('committed type', lambda f: put(f, 't', np.dtype('f4')), {}),
    ('of a committed type', lambda f: (put(f, 'z', np.dtype('f4')), f.create_dataset('a', (2,), dtype=f['z'])), {}),
    ('compound', lambda f: put(f, 'x', np.zeros(2, [('a', 'f4'), ('b', 'i4')])), {}),
    ('array type', lambda f: f.create_dataset('x', (2,), dtype=np.dtype(('f4', (3,)))), {}),
    ('bytes of no type', lambda f: put(f, 'x', np.zeros(2, 'V2')), {}),
    ('references', lambda f: f.create_dataset('x', (1,), dtype=h5py.ref_dtype), {}),
    ('long double', lambda f: put(f, 'x', np.zeros(2, np.longdouble)), {}),
    ('name beyond ASCII', lambda f: put(f, 'größe', weights(1)), {}),
    ('name not in UTF-8', lambda f: h5py.h5d.create(f.id, b'\xff', h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((0,))), {}),
    ('longest name', lambda f: put(f, 'n' * 20000, weights(1)), {}),
    ('seventy deep', lambda f: put(f, '/'.join(['g'] * 70), weights(1)), {}),
    ('track_order', lambda f: put(f, 'a/x', weights(1)), {'track_order': True}),
    ('track_order of a group', lambda f: put(f.create_group('a', track_order=True), 'x', weights(1)), {}),
    ('libver latest', lambda f: put(f, 'a/x', weights(1)), {'libver': 'latest'}),
    ('user block', lambda f: put(f, 'x', weights(1)), {'userblock_size': 512}),
):
    file(name, write, unsupported=True, **options)

folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'hdf5')
with zipfile.ZipFile(os.path.join(folder, 'files.zip'), 'w', zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
    for name, content in [*((f'{name}.h5', content) for name, content in files.items()), ('expected.json', json.dumps(expected, separators=(',', ':')))]:
        archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED, 9)
print(f'h5py {h5py.__version__}, HDF5 {h5py.version.hdf5_version}, NumPy {np.__version__}: {len(files)} files')

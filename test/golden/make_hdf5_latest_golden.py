"""Writes test/golden/hdf5/latest-*.zip: HDF5 files with libver='latest', and in expected.json what h5py reads from them
and from the files with link messages in files.zip. The name has the version of HDF5: the layout of chunks has version 4
before HDF5 2 and version 5 from then on. Before HDF5 2, only a part of the files is written.

    python3 test/golden/make_hdf5_latest_golden.py
"""
import base64, ctypes, io, json, os, re, zipfile
import h5py
import numpy as np

random = np.random.RandomState(11)
folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'hdf5')
files, expected = {}, {}
version = '.'.join(h5py.version.hdf5_version.split('.')[:2])


def weights(*shape):
    return (np.round(random.standard_normal(shape) * 8) / 8).astype('<f4')


def read(content):
    """The floating-point datasets in single precision by path, the paths of all others and the string attributes."""
    tensors, others, attributes = {}, [], {}
    with h5py.File(io.BytesIO(content), 'r') as f:
        def visit(group, path):
            for name, item in group.items():
                if isinstance(item, h5py.Group):
                    visit(item, path + [name])
                elif item.dtype.kind == 'f':
                    tensors['/'.join(path + [name])] = {
                        'shape': list(item.shape),
                        'bytes': base64.b64encode(np.asarray(item[()]).astype('<f4').tobytes()).decode()}
                else:
                    others.append('/'.join(path + [name]))
        visit(f, [])
        for name, value in f.attrs.items():
            if isinstance(value, (str, bytes)):
                attributes[name] = value if isinstance(value, str) else value.decode()
    return {'tensors': tensors, 'others': sorted(others), 'attributes': attributes}


def file(name, write, supported=True, **options):
    if version < '2' and name not in ('keras weights', '9 links', 'chunks', 'deep tree', 'never written'):
        return
    memory = io.BytesIO()
    with h5py.File(memory, 'w', libver='latest', **options) as f:
        write(f)
    files[name] = memory.getvalue()
    if supported:
        expected[name] = read(files[name])


def create(f, name, values, chunks=None, maxshape=None, early=False):
    """A dataset with properties that h5py has only in its low-level interface."""
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_obj_track_times(False)
    if chunks is None:
        properties.set_layout(h5py.h5d.COMPACT)
    else:
        properties.set_chunk(chunks)
    if early:
        properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    limits = None if maxshape is None else tuple(h5py.h5s.UNLIMITED if n is None else n for n in maxshape)
    values = np.asarray(values)
    space = h5py.h5s.create_simple(values.shape, limits) if values.shape else h5py.h5s.create(h5py.h5s.SCALAR)
    h5py.h5d.create(f.id, name.encode(), h5py.h5t.py_create(values.dtype, logical=1), space, properties).write(
        h5py.h5s.ALL, h5py.h5s.ALL, np.ascontiguousarray(values))


def keras_weights(f):
    for layer, shapes in {'embedding': [(5, 2)], 'lstm/cell': [(2, 12), (3, 12), (12,)], 'dense': [(3, 2), (2,)]}.items():
        group = f.create_group(f'layers/{layer}/vars')
        group.attrs['name'] = layer
        for i, shape in enumerate(shapes):
            group[str(i)] = weights(*shape)
    f.create_group('vars')
    f['optimizer/vars/0'] = np.int64(12)


def many_links(f):
    """More links than fit into one block of a heap or node of a tree, after others were removed."""
    for i in random.permutation(200):
        create(f, f'weight {i}', np.float32(i))
    for i in range(0, 200, 5):
        del f[f'weight {i}']


def attributes(f):
    for i in range(20):
        f.attrs[f'a{i}'] = 'x' * i
    for i in range(0, 20, 3):
        del f.attrs[f'a{i}']
    f.attrs['fixed'], f.attrs['numbers'], f.attrs['ü'] = np.bytes_(b'text'), np.arange(5), 'ä'
    # Longer than the blocks of a heap allow.
    f.attrs['huge'] = np.bytes_(b'0123456789' * 450)
    f['x'] = weights(2)
    for i in range(12):
        f['x'].attrs[f'b{i}'] = i


def partial_chunks(f):
    """Gzip, except of chunks that the end of the dataset cuts off: an option that h5py does not have, but its library."""
    with open('/proc/self/maps') as maps:
        library = ctypes.CDLL(re.search(r'\S*/libhdf5[-_.\w]*\.so[.\w]*', re.sub(r'\S*hdf5\w*_hl\S*', '', maps.read())).group())
    for name, limits in (('fixed', (5, 7)), ('extensible', (h5py.h5s.UNLIMITED, 7)), ('tree', (h5py.h5s.UNLIMITED,) * 2)):
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_chunk((2, 3))
        properties.set_deflate(6)
        assert library.H5Pset_chunk_opts(ctypes.c_int64(properties.id), ctypes.c_uint(2)) == 0
        values = weights(5, 7)
        dataset = h5py.h5d.create(f.id, name.encode(), h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple(values.shape, limits), properties)
        dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, values)


def chunks(f):
    """One dataset for each index of chunks, with and without filters. Most have parts of chunks at the end of an axis."""
    for name, shape, chunk, limits in (
            ('single', (3, 5), (3, 5), None), ('one chunk that can grow', (3, 5), (4, 5), (4, 5)),
            ('fixed array', (5, 7), (2, 3), None), ('fixed array that can grow', (5, 7), (2, 3), (9, 20)),
            ('extensible array', (7, 5), (2, 3), (None, 8)), ('extensible array along the last axis', (5, 7, 9), (3, 2, 2), (6, 8, None)),
            ('tree', (5, 7), (2, 3), (None, None)), ('tree of rank 3', (3, 4, 3), (2, 2, 2), (None, 9, None))):
        for filters in ((), ('gzip',)):
            f.create_dataset(f'{name} {filters}', data=weights(*shape), chunks=chunk, maxshape=limits, **({'compression': 'gzip', 'shuffle': True, 'fletcher32': True} if filters else {}))
    create(f, 'implicit', weights(5, 7), (2, 3), early=True)
    create(f, 'implicit that can grow', weights(3, 5), (2, 2), (4, 8), early=True)


def types(f):
    for code in ('<f2', '>f2', '<f4', '>f4', '<f8', '>f8'):
        f[code.replace('<', 'little-').replace('>', 'big-')] = weights(5).astype(code)
    create(f, 'compact', weights(2, 3))
    f['empty'], f['scalar'], f['int'], f['bool'], f['text'] = np.zeros((0, 3), 'f4'), np.float64(2.5), np.arange(3), np.array([True, False]), 'text'


def order(f):
    for i in random.permutation(12):
        f.create_group(f'g{i}', track_order=True)[f'größe {i}'] = weights(2)
        f.attrs[f'a{i}'] = str(i)


file('keras weights', keras_weights)
file('nothing', lambda f: None)
file('8 links', lambda f: [create(f, f'w{i}', np.float32(i)) for i in range(8)])
file('9 links', lambda f: [create(f, f'w{i}', np.float32(i)) for i in range(9)])
file('many links', many_links)
file('header in pieces', lambda f: [f.attrs.__setitem__(f'a{i}', 'x' * 30 * i) or create(f, f'w{i}', np.float32(i)) for i in range(8)])
file('attributes', attributes)
file('chunks', chunks)
file('partial chunks without filters', partial_chunks)
file('pages of a fixed array', lambda f: create(f, 'x', np.arange(1500).astype('<f2'), (1,)))
file('groups of an extensible array', lambda f: create(f, 'x', np.arange(600).astype('<f2'), (1,), (None,)))
file('nodes of a tree', lambda f: create(f, 'x', np.arange(600).reshape(20, 30).astype('<f2'), (1, 1), (None, None)))
# Enough attributes for a tree with two levels above its leaves.
file('deep tree', lambda f: [f.attrs.__setitem__(f'a{i}', np.bytes_(str(i))) for i in range(500)])
file('types', types)
file('tracked order', order, track_order=True)
with zipfile.ZipFile(os.path.join(folder, 'files.zip')) as archive:
    for name in ('name beyond ASCII', 'track_order', 'track_order of a group', 'libver latest'):
        expected[name] = read(archive.read(f'{name}.h5'))

for name, make in (
    ('fixed array', lambda f: f.create_dataset('x', (4,), 'f4', chunks=(2,))),
    ('extensible array', lambda f: f.create_dataset('x', (4,), 'f4', chunks=(2,), maxshape=(None,))),
    ('tree', lambda f: f.create_dataset('x', (4, 1), 'f4', chunks=(2, 1), maxshape=(None, None))),
):
    file(f'partly written {name}', lambda f: make(f).__setitem__(slice(2), 1), supported=False)
file('page never written', lambda f: f.create_dataset('x', (1025,), 'f2', chunks=(1,)).__setitem__(slice(1024), 1), supported=False)
file('never written', lambda f: f.create_dataset('x', (4,), 'f4', chunks=(2,)), supported=False)
file('soft link', lambda f: f.__setitem__('b', h5py.SoftLink('/a')), supported=False)
file('external link', lambda f: f.__setitem__('b', h5py.ExternalLink('other.h5', '/x')), supported=False)
file('hard link', lambda f: (f.__setitem__('a', weights(2)), f.__setitem__('b', f['a'])), supported=False)
file('loop', lambda f: f.create_group('a').__setitem__('root', f['/']), supported=False)
file('committed type', lambda f: f.__setitem__('t', np.dtype('f4')), supported=False)
file('complex', lambda f: f.__setitem__('x', np.zeros(2, 'c8')), supported=False)

with zipfile.ZipFile(os.path.join(folder, f'latest-{version}.zip'), 'w', zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
    for name, content in [*((f'{name}.h5', content) for name, content in files.items()),
                          ('expected.json', json.dumps(expected, separators=(',', ':')))]:
        archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED, 9)
print(f'h5py {h5py.__version__}, HDF5 {h5py.version.hdf5_version}, NumPy {np.__version__}: {len(files)} files')

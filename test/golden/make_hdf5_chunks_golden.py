"""Writes test/golden/hdf5/chunks.zip: HDF5 files with chunks and filters, and in expected.json what h5py reads from
them and from the chunked files in files.zip.

    python3 test/golden/make_hdf5_chunks_golden.py
"""
import base64, io, json, os, zipfile
import h5py
import numpy as np

random = np.random.RandomState(7)
folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'hdf5')
files, expected = {}, {}


def weights(*shape):
    return (np.round(random.standard_normal(shape) * 8) / 8).astype('<f4')


def read(content):
    tensors = {}
    with h5py.File(io.BytesIO(content), 'r') as f:
        f.visititems(lambda name, item: isinstance(item, h5py.Dataset) and tensors.update({name: {
            'shape': list(item.shape),
            'bytes': base64.b64encode(np.asarray(item[()]).astype('<f4').tobytes()).decode()}}))
    return tensors


def file(name, write):
    memory = io.BytesIO()
    with h5py.File(memory, 'w') as f:
        write(f)
    files[name] = memory.getvalue()
    expected[name] = read(files[name])


def skipped(f):
    """One chunk with the filters, and one whose mask specifies that they were not applied."""
    x = f.create_dataset('x', (4, 2), 'f4', chunks=(2, 2), compression='gzip', shuffle=True)
    x[:2] = weights(2, 2)
    x.id.write_direct_chunk((2, 0), weights(2, 2).tobytes(), filter_mask=3)


file('partial chunks', lambda f: [
    f.create_dataset(f'{shape} {chunks}', data=weights(*shape), chunks=chunks)
    for shape, chunks in (((5,), (2,)), ((5, 7), (2, 3)), ((3, 4, 5), (2, 3, 4)), ((1, 1, 9), (1, 1, 4)), ((6, 2), (6, 2)))])
file('many chunks', lambda f: f.create_dataset('x', data=weights(900), chunks=(2,)))
file('filters', lambda f: [
    f.create_dataset(f'{code} {i}', data=weights(9, 5).astype(code), chunks=(4, 3), **options)
    for code in ('<f4', '>f4', '<f8', '>f8', '<f2')
    for i, options in enumerate((
        {'compression': 'gzip'}, {'compression': 'gzip', 'compression_opts': 9, 'shuffle': True}, {'fletcher32': True},
        {'compression': 'gzip', 'shuffle': True, 'fletcher32': True}, {'shuffle': True}))])
file('filters not applied', skipped)
file('zeros', lambda f: f.create_dataset('x', data=np.zeros((300, 300), 'f4'), compression='gzip'))
file('empty', lambda f: f.create_dataset('x', (0, 3), 'f4', maxshape=(None, 3), compression='gzip'))

with zipfile.ZipFile(os.path.join(folder, 'files.zip')) as archive:
    for name in ('chunks', 'resizable', 'gzip', 'shuffle'):
        expected[name] = read(archive.read(f'{name}.h5'))


def rejected(name, write):
    memory = io.BytesIO()
    with h5py.File(memory, 'w') as f:
        write(f)
    files[name] = memory.getvalue()


def partly_written(f):
    f.create_dataset('x', (4,), 'f4', chunks=(2,))[:2] = weights(2)


rejected('some chunks never written', partly_written)
rejected('lzf', lambda f: f.create_dataset('x', data=weights(40), compression='lzf'))
rejected('a bomb', lambda f: f.create_dataset('x', data=np.zeros((4000, 4000), 'f4'), chunks=(4000, 4000), compression='gzip'))

with zipfile.ZipFile(os.path.join(folder, 'chunks.zip'), 'w', zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
    for name, content in [*((f'{name}.h5', content) for name, content in files.items()),
                          ('expected.json', json.dumps(expected, separators=(',', ':')))]:
        archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED, 9)
print(f'h5py {h5py.__version__}, HDF5 {h5py.version.hdf5_version}, NumPy {np.__version__}: {len(files)} files')

"""Writes zip archives of each kind that Python's zipfile supports. The name of a file describes its content: `noise 300` is 300 bytes of noise.

    /usr/bin/python3 test/golden/make_zip_golden.py
"""
import io, os, platform, zipfile, zlib

folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'zip')
STORED, DEFLATED = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED


def noise(length):
    state, out = 1, bytearray()
    for _ in range(length):
        state = (state * 1103515245 + 12345) % 2**31
        out.append(state >> 16 & 255)
    return bytes(out)


kinds = {'noise': noise, 'zeros': bytes, 'squares': lambda length: bytes(i * i % 251 * (i % 3) // 2 for i in range(length))}


def content(name):
    kind, length = name.rsplit('/')[-1].split(' ')
    return kinds[kind](int(length))


def archive(file, entries, method=DEFLATED, level=None, comment=b'', stream=False, force_zip64=False):
    memory = io.BytesIO()

    class Unseekable:
        """A stream without seek, for which zipfile writes the sizes after each file."""
        write, flush = memory.write, memory.flush
    with zipfile.ZipFile(Unseekable() if stream else memory, 'w', method, compresslevel=level) as made:
        for name in entries:
            info = zipfile.ZipInfo(name)
            info.compress_type, info._compresslevel = method, level
            if name.endswith('/'):
                made.writestr(info, b'')
                continue
            with made.open(info, 'w', force_zip64=force_zip64) as entry:
                entry.write(content(name))
        made.comment = comment
    with open(os.path.join(folder, f'{file}.zip'), 'wb') as out:
        out.write(memory.getvalue())


various = ['noise 0', 'zeros 1', 'folder/', 'folder/squares 700', 'folder/within/noise 300', 'zeros 3000']
archive('stored', various, STORED)
archive('piped', various, stream=True)
archive('piped and stored', various, STORED, stream=True)
archive('forced to zip64', various, force_zip64=True)
archive('with a comment', various, comment=b'PK\5\6 and more: ' + b'PK\5\6' + bytes(18) + b' of 40 bytes')
archive('names', ['ä/語 😀/noise 5', '__proto__/zeros 3', 'back\\slash/zeros 4', '../zeros 2', '/zeros 6', '\ufeff/zeros 7'])
archive('100 files', [f'{i}/zeros {i}' for i in range(100)])
archive('of nothing', [])
for level in range(10):
    archive(f'level {level}', ['squares 2000', 'noise 100', 'zeros 1000', 'zeros 2'], level=level)
archive('bzip2', ['squares 700'], zipfile.ZIP_BZIP2)
archive('lzma', ['squares 700'], zipfile.ZIP_LZMA)
print(f'Python {platform.python_version()}, zlib {zlib.ZLIB_RUNTIME_VERSION}')

import { deflateRawSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { TorchFile } from '../../../src/weights/torch-file/torch-file.js';
import { CountingSource } from './counting-source.js';
import { expectRefusal, type Hostile } from './expect-refusal.js';
import {
  ascii,
  dict,
  program,
  tensor,
  torchEntries,
  torchZip,
  tuple,
  type ZipEntry,
  zipOf,
} from './torch-zip.js';

/** Archives whose directory lies: each ends in an error that says why. */

const data = new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer);

describe('a hostile archive', () => {
  const pickle = program(dict([['w', tensor({ shape: [4], strides: [1] })]]));
  const entries = torchEntries(pickle, { '0': data });
  const [program0, storage0, version] = entries as [ZipEntry, ZipEntry, ZipEntry];
  const claim = (claims: ZipEntry['claims']) =>
    zipOf([program0, { ...storage0, ...(claims && { claims }) }, version]);
  const bomb = new Uint8Array(deflateRawSync(new Uint8Array(4_000_000)));
  const plain = zipOf(entries);
  /** What PyTorch 2 puts beside them. */
  const newer = [
    { name: 'w/.format_version', data: ascii('1') },
    { name: 'w/.storage_alignment', data: ascii('64') },
    { name: 'w/byteorder', data: ascii('little') },
    { name: 'w/.data/serialization_id', data: ascii('0123456789') },
  ];

  test('this one is sound, and so are its forms in zip64 and of PyTorch 2', async () => {
    const forms = [
      plain,
      zipOf(entries, { zip64: {} }),
      zipOf([...entries, ...newer]),
      claim({ zip64: { size: 16n, packed: 16n } }),
      claim({ zip64: { size: 16n, packed: 16n, offset: BigInt(30 + program0.name.length + pickle.length) } }),
    ];
    for (const form of forms) {
      const file = await TorchFile.open(new CountingSource(form));
      expect((await file.read('w')).data).toEqual(Float32Array.of(1, 2, 3, 4));
    }
  });

  test.each<readonly [...Hostile, bytes: Uint8Array]>([
    [
      'a zip bomb',
      'refused',
      /"w\/data\/0" is compressed/,
      zipOf([
        program0,
        { name: 'w/data/0', data: bomb, claims: { method: 8, size: 4_000_000, packed: bomb.length } },
      ]),
    ],
    [
      'a pickle that is compressed',
      'refused',
      /"w\/data\.pkl" is compressed/,
      zipOf([{ ...program0, claims: { method: 8 } }, storage0]),
    ],
    [
      'an encrypted entry',
      'refused',
      /encrypted/,
      zipOf([
        program0,
        { name: 'w/data/0', data: new Uint8Array(28), claims: { flags: 1, size: 16, packed: 28 } },
      ]),
    ],
    [
      'two entries in one place',
      'damaged',
      /overlap/,
      zipOf([
        program0,
        storage0,
        { name: 'w/data/1', data, claims: { offset: 30 + program0.name.length + pickle.length } },
      ]),
    ],
    ['an entry within another', 'damaged', /overlap/, within()],
    [
      'sizes of zip64 that are lies',
      'damaged',
      /size mismatch|overflows file bounds/,
      claim({ zip64: { size: 2n ** 63n, packed: 2n ** 63n } }),
    ],
    [
      'a size of zip64 a little too large',
      'damaged',
      /overlap|overflows/,
      claim({ zip64: { size: 64n, packed: 64n } }),
    ],
    [
      'a place of zip64 beyond 2⁵³',
      'damaged',
      /bytes 11529215046068\d+ to/,
      claim({ zip64: { size: 16n, packed: 16n, offset: 2n ** 60n } }),
    ],
    [
      'a directory of zip64 beyond 2⁵³',
      'damaged',
      /it was cut short or changed/,
      zipOf(entries, { zip64: { directory: 2n ** 63n } }),
    ],
    [
      'an end of zip64 beyond 2⁵³',
      'damaged',
      /it was cut short or changed/,
      zipOf(entries, { zip64: { record: 2n ** 64n - 256n } }),
    ],
    [
      '2⁶⁴ − 1 entries',
      'damaged',
      /claims 18446744073709552000 entries/,
      zipOf(entries, { zip64: { count: 2n ** 64n - 1n } }),
    ],
    ['more entries than it has', 'damaged', /it was cut short or changed/, zipOf(entries, { count: 9 })],
    ['a directory elsewhere', 'damaged', /zip directory can't be read/, zipOf(entries, { directory: 5 })],
    [
      'a directory behind the end',
      'damaged',
      /it was cut short or changed/,
      zipOf(entries, { directory: 0xfffffff0 }),
    ],
    ['a part of several disks', 'damaged', /multi-disk/, zipOf(entries, { disk: 1 })],
    ['a size too small by one', 'damaged', /size mismatch/, claim({ size: 16, packed: 15 })],
    ['a storage cut by one byte', 'damaged', /the archive has 15 bytes/, claim({ size: 15, packed: 15 })],
    [
      'a path out of the folder',
      'damaged',
      /invalid relative path/,
      zipOf([...entries, { name: '../evil', data }]),
    ],
    ['a path from the root', 'damaged', /absolute path/, zipOf([...entries, { name: '/etc/evil', data }])],
    ['a path of Windows', 'damaged', /invalid characters/, zipOf([...entries, { name: 'w\\evil', data }])],
    [
      'a name twice',
      'damaged',
      /has "w\/data\/0" twice/,
      zipOf([...entries, { name: 'w/data/0', data: new Uint8Array(16) }]),
    ],
    ['two pickles', 'damaged', /with 2 data\.pkl/, zipOf([...entries, { ...program0, name: 'v/data.pkl' }])],
    ['no pickle', 'damaged', /with no data\.pkl/, zipOf([storage0, version])],
    [
      'a pickle at the root',
      'damaged',
      /with no data\.pkl/,
      zipOf([{ ...program0, name: 'data.pkl' }, storage0]),
    ],
    [
      'big-endian numbers',
      'refused',
      /byte order is "big"/,
      zipOf([...entries, { name: 'w/byteorder', data: ascii('big') }]),
    ],
    [
      'a byte order without end',
      'refused',
      /byte order is ""/,
      zipOf([...entries, { name: 'w/byteorder', data: new Uint8Array(100_000) }]),
    ],
    [
      'TorchScript, which is a program',
      'refused',
      /TorchScript archive.*torch\.jit\.load/,
      zipOf([...entries, { name: 'w/constants.pkl', data: Uint8Array.from(program(tuple())) }]),
    ],
    [
      'a storage that was changed',
      'damaged',
      /data\/0 was changed since/,
      zipOf([program0, { ...storage0, claims: { crc: 1 } }]),
    ],
    [
      'a pickle that was changed',
      'damaged',
      /data\.pkl was changed since/,
      zipOf([{ ...program0, claims: { crc: 1 } }, storage0]),
    ],
    ['a pickle of 33 MB', 'damaged', /has 33554433 bytes, more than/, torchZip(new Uint8Array(2 ** 25 + 1))],
    [
      '40,000 entries',
      'damaged',
      /claims 40000 entries/,
      zipOf(Array.from({ length: 40_000 }, (_, i) => ({ name: `w/${i}`, data: new Uint8Array(0) }))),
    ],
    ['a start and no more', 'damaged', /zip directory can't be read/, ascii('PK\x03\x04')],
    ['a directory cut off', 'damaged', /zip directory can't be read/, plain.subarray(0, plain.length - 22)],
    ['a text behind the end', 'damaged', /Invalid comment length/, new Uint8Array([...plain, 1, 2, 3])],
  ])('%s', async (_, kind, message, bytes) => {
    await expectRefusal(bytes, kind, message);
  });

  /** The archive of an archive, whose directory points into the inner one. */
  function within(): Uint8Array {
    const inner = zipOf([storage0]);
    const outer = 30 + 'w/inner'.length;
    return zipOf([{ name: 'w/inner', data: inner }, program0, { ...storage0, claims: { offset: outer } }]);
  }
});

import { describe, expect, test } from 'vitest';
import { entryName, mostEntryBytes, packEntry, unpackEntry } from '../../../src/data/cache/entry.js';
import { preprocessingSchema } from '../../../src/data/images/preprocessing.js';

const DIGEST = 'ab'.repeat(32);
const preparation = (bits: 8 | 16) => preprocessingSchema.parse({ size: [3, 5], bits });

function entry(bits: 8 | 16, damage: string | null = null) {
  const values = Array.from({ length: 15 }, (_, i) => (i * 4001) % (bits === 8 ? 256 : 65536));
  const grey = bits === 8 ? Uint8Array.from(values) : Uint16Array.from(values);
  const name = entryName(DIGEST, preparation(bits), 100);
  const bytes = Uint8Array.from(Buffer.concat(packEntry(name, preparation(bits), { grey, damage })));
  return { name, bytes, grey, unpack: (given = bytes) => unpackEntry(given, name, preparation(bits)) };
}

describe.each([8, 16] as const)('an entry of %i bits', (bits) => {
  test.each([null, '', 'the JPEG stops after 7 bytes — “early”'])('comes back, note %j and all', (damage) => {
    const { bytes, grey, unpack } = entry(bits, damage);
    expect(bytes.length).toBeLessThanOrEqual(mostEntryBytes(preparation(bits)));
    expect(unpack()).toEqual({ grey, damage });
  });

  test('with any byte changed, cut off or added is none', () => {
    const { bytes, unpack } = entry(bits, 'note');
    for (let i = 0; i < bytes.length; i++) {
      const other = bytes.slice();
      other[i]! ^= 1 << (i % 8);
      expect(unpack(other), `byte ${i}`).toBeNull();
      expect(unpack(bytes.slice(0, i)), `${i} bytes`).toBeNull();
    }
    expect(unpack(Uint8Array.of(...bytes, 0))).toBeNull();
    expect(unpack(new Uint8Array(bytes.length))).toBeNull();
    expect(unpack()).not.toBeNull();
  });

  test('under another name, or for another preparation, is none', () => {
    const { bytes, name } = entry(bits);
    const other = entryName(DIGEST, preparation(bits), 101);
    expect(unpackEntry(bytes.slice(), other, preparation(bits))).toBeNull();
    expect(unpackEntry(bytes.slice(), name, { ...preparation(bits), size: [5, 3] })).toBeNull();
    expect(unpackEntry(bytes.slice(), name, preparation(bits === 8 ? 16 : 8))).toBeNull();
  });
});

test('the name depends on the content and on all that decides the prepared bytes, and on nothing else', () => {
  const name = (changes: object, digest = DIGEST, limit = 100) =>
    entryName(digest, preprocessingSchema.parse(changes), limit);
  const names = [
    name({}),
    name({}, 'cd'.repeat(32)),
    name({}, DIGEST, 99),
    name({ size: [224, 225] }),
    name({ bits: 8 }),
    name({ window: { kind: 'full' } }),
    name({ window: { kind: 'percentile', low: 1 } }),
    name({ window: { kind: 'dicom' } }),
  ];
  expect(new Set(names).size).toBe(names.length);
  expect(name({ channels: 3, mean: [0.1], std: [0.2] })).toBe(name({}));
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  readSafetensors,
  type SafetensorsTensor,
  toFloat32,
  writeSafetensors,
} from '../../../src/models/safetensors/safetensors.js';
import { elementArrays, SAFETENSORS_DTYPES } from '../../../src/models/safetensors/safetensors-dtypes.js';
import { SafetensorsError } from '../../../src/models/safetensors/safetensors-header.js';

/** One tensor of every type, written by safetensors 0.8.0 (Python), the reference implementation. */
const REFERENCE =
  'YAMAAAAAAAB7Il9fbWV0YWRhdGFfXyI6eyJmb3JtYXQiOiJwdCJ9LCJ1NjQiOnsiZHR5cGUiOiJVNjQiLCJzaGFwZSI6WzFd' +
  'LCJkYXRhX29mZnNldHMiOlswLDhdfSwibnVtX2JhdGNoZXNfdHJhY2tlZCI6eyJkdHlwZSI6Ikk2NCIsInNoYXBlIjpbXSwi' +
  'ZGF0YV9vZmZzZXRzIjpbOCwxNl19LCJub25lIjp7ImR0eXBlIjoiRjY0Iiwic2hhcGUiOlswLDRdLCJkYXRhX29mZnNldHMi' +
  'OlsxNiwxNl19LCJhLmJpYXMiOnsiZHR5cGUiOiJGMzIiLCJzaGFwZSI6W10sImRhdGFfb2Zmc2V0cyI6WzE2LDIwXX0sImIu' +
  'd2VpZ2h0Ijp7ImR0eXBlIjoiRjMyIiwic2hhcGUiOlsyLDNdLCJkYXRhX29mZnNldHMiOlsyMCw0NF19LCJ1MzIiOnsiZHR5' +
  'cGUiOiJVMzIiLCJzaGFwZSI6WzFdLCJkYXRhX29mZnNldHMiOls0NCw0OF19LCJpMzIiOnsiZHR5cGUiOiJJMzIiLCJzaGFw' +
  'ZSI6WzFdLCJkYXRhX29mZnNldHMiOls0OCw1Ml19LCJicmFpbiI6eyJkdHlwZSI6IkJGMTYiLCJzaGFwZSI6WzJdLCJkYXRh' +
  'X29mZnNldHMiOls1Miw1Nl19LCJoYWxmIjp7ImR0eXBlIjoiRjE2Iiwic2hhcGUiOlszXSwiZGF0YV9vZmZzZXRzIjpbNTYs' +
  'NjJdfSwidTE2Ijp7ImR0eXBlIjoiVTE2Iiwic2hhcGUiOlsxXSwiZGF0YV9vZmZzZXRzIjpbNjIsNjRdfSwiaTE2Ijp7ImR0' +
  'eXBlIjoiSTE2Iiwic2hhcGUiOlsxXSwiZGF0YV9vZmZzZXRzIjpbNjQsNjZdfSwiaTgiOnsiZHR5cGUiOiJJOCIsInNoYXBl' +
  'IjpbMV0sImRhdGFfb2Zmc2V0cyI6WzY2LDY3XX0sInTDpGlsIjp7ImR0eXBlIjoiVTgiLCJzaGFwZSI6WzFdLCJkYXRhX29m' +
  'ZnNldHMiOls2Nyw2OF19LCJtYXNrIjp7ImR0eXBlIjoiQk9PTCIsInNoYXBlIjpbM10sImRhdGFfb2Zmc2V0cyI6WzY4LDcx' +
  'XX19ICAgICD///////////v/////////AADgQAAAgD8AAABAAABAQAAAgMAAAAA/AAAAAP//////////gD8gwAA+AMD/e///' +
  '/////wEAAQ==';

const fromBase64 = (text: string) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));

/** A file with any header text, so that each rule can be broken on its own. */
function fileWith(
  header: string | Uint8Array,
  data: Uint8Array = new Uint8Array(),
  claimed?: bigint,
): Uint8Array {
  const text = typeof header === 'string' ? new TextEncoder().encode(header) : header;
  const bytes = new Uint8Array(8 + text.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, claimed ?? BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(data, 8 + text.length);
  return bytes;
}

const f32 = (shape: number[], ...values: number[]): SafetensorsTensor => ({
  dtype: 'F32',
  shape,
  data: Float32Array.from(values),
});

/** Content of a tensor as bytes: equal bytes are equal tensors, NaN and all. */
const bytesOf = ({ data }: SafetensorsTensor) => [
  ...new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
];

const tensor: fc.Arbitrary<SafetensorsTensor> = fc
  .tuple(fc.constantFrom(...SAFETENSORS_DTYPES), fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 }))
  .chain(([dtype, shape]) => {
    const length = shape.reduce((a, b) => a * b, 1) * elementArrays[dtype].BYTES_PER_ELEMENT;
    return fc.uint8Array({ minLength: length, maxLength: length }).map((raw) => {
      const Elements = elementArrays[dtype];
      const data = new Elements(new Uint8Array(raw).buffer, 0, raw.length / Elements.BYTES_PER_ELEMENT);
      return { dtype, shape, data } as SafetensorsTensor;
    });
  });
const name = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('0', '1', '__proto__', '"', 'constructor'),
);
const contents = fc.record({
  tensors: fc.uniqueArray(fc.tuple(name, tensor), { maxLength: 6, selector: ([key]) => key }),
  metadata: fc.dictionary(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), { maxKeys: 3 }),
});

describe('the reference implementation', () => {
  const file = readSafetensors(fromBase64(REFERENCE));

  it('is read, every type of it', () => {
    expect(file.metadata).toEqual({ format: 'pt' });
    const values = [...file.tensors].map(([key, { dtype, shape, data }]) => [key, dtype, shape, [...data]]);
    expect(values).toEqual([
      ['u64', 'U64', [1], [2n ** 64n - 1n]],
      ['num_batches_tracked', 'I64', [], [-5n]],
      ['none', 'F64', [0, 4], []],
      ['a.bias', 'F32', [], [7]],
      ['b.weight', 'F32', [2, 3], [1, 2, 3, -4, 0.5, 0]],
      ['u32', 'U32', [1], [2 ** 32 - 1]],
      ['i32', 'I32', [1], [-1]],
      ['brain', 'BF16', [2], [0x3f80, 0xc020]],
      ['half', 'F16', [3], [0x3e00, 0xc000, 0x7bff]],
      ['u16', 'U16', [1], [0xffff]],
      ['i16', 'I16', [1], [-1]],
      ['i8', 'I8', [1], [-1]],
      ['täil', 'U8', [1], [255]],
      ['mask', 'BOOL', [3], [1, 0, 1]],
    ]);
    expect([...toFloat32(file.tensors.get('brain')!)]).toEqual([1, -2.5]);
    expect([...toFloat32(file.tensors.get('half')!)]).toEqual([1.5, -2, 65504]);
    expect([...toFloat32(file.tensors.get('num_batches_tracked')!)]).toEqual([-5]);
    expect([...toFloat32(file.tensors.get('u64')!)]).toEqual([2 ** 64]);
  });

  it('writes the same bytes as we do', () => {
    const shuffled = [...file.tensors].reverse();
    expect(writeSafetensors(shuffled, file.metadata)).toEqual(fromBase64(REFERENCE));
  });
});

describe('half floats', () => {
  const half = (bits: number) => toFloat32({ dtype: 'F16', shape: [1], data: Uint16Array.of(bits) })[0];

  it('all 65,536 become the float32 that IEEE 754 says', () => {
    for (let bits = 0; bits < 0x10000; bits++) {
      const magnitude = bits & 0x7fff;
      const sign = bits >> 15 ? -1 : 1;
      if (magnitude > 0x7c00) expect(half(bits)).toBeNaN();
      else if (magnitude === 0x7c00) expect(half(bits)).toBe(sign * Number.POSITIVE_INFINITY);
      else {
        // Neighbouring patterns are one step apart, and the step doubles at each power of two.
        const step = 2 ** (Math.max((magnitude - 1) >> 10, 1) - 25);
        if (magnitude > 0) expect(half(bits)! - half(bits - 1)!).toBe(sign * step);
        else expect(half(bits)).toBe(sign * 0);
      }
    }
    expect(half(0x3c00)).toBe(1);
  });

  it('bfloat16 are the upper halves of float32', () => {
    const values = Float32Array.of(1, -2.5, 3e38, 1e-40, Number.NEGATIVE_INFINITY, Number.NaN);
    const data = Uint16Array.from(new Uint32Array(values.buffer), (bits) => bits >>> 16);
    const back = new Uint32Array(toFloat32({ dtype: 'BF16', shape: [6], data }).buffer);
    expect([...back]).toEqual([...new Uint32Array(values.buffer)].map((bits) => (bits & 0xffff0000) >>> 0));
  });
});

describe('writeSafetensors', () => {
  it('gives back what was put in, whatever the order, the names and the bytes', () => {
    fc.assert(
      fc.property(contents, ({ tensors, metadata }) => {
        const bytes = writeSafetensors(tensors, metadata);
        expect(writeSafetensors([...tensors].reverse(), metadata)).toEqual(bytes);
        const back = readSafetensors(bytes);
        expect(Object.entries(back.metadata).sort()).toEqual(Object.entries(metadata).sort());
        expect(back.tensors.size).toBe(tensors.length);
        for (const [key, { dtype, shape, data }] of tensors) {
          const read = back.tensors.get(key)!;
          expect([read.dtype, read.shape, read.data.constructor]).toEqual([dtype, shape, data.constructor]);
          expect(bytesOf(read)).toEqual(bytesOf({ dtype, shape, data } as SafetensorsTensor));
          expect(read.data.buffer).toBe(bytes.buffer);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('refuses what could not be read back', () => {
    const write = (key: string, value: SafetensorsTensor) => () => writeSafetensors([[key, value]]);
    expect(write('w', f32([3], 1, 2))).toThrow(/"w" has shape \[3\] \(F32\) but 8 bytes/);
    expect(write('w', f32([-1, -2], 1, 2))).toThrow(SafetensorsError);
    expect(write('w', f32([1.5], 1))).toThrow(SafetensorsError);
    expect(write('__metadata__', f32([1], 1))).toThrow(SafetensorsError);
    const twice = [['w', f32([1], 1)] as const, ['w', f32([1], 2)] as const];
    expect(() => writeSafetensors(twice)).toThrow(/"w" is given twice/);
  });
});

describe('reading from the middle of a buffer', () => {
  it.each([0, 1, 2, 3, 4, 7, 8])('%i bytes in, also of a node Buffer', (shift) => {
    const bytes = writeSafetensors([
      ['w', f32([2], 1.5, -2)],
      ['n', { dtype: 'I64', shape: [], data: BigInt64Array.of(9n) }],
    ]);
    for (const around of [new Uint8Array(300), Buffer.alloc(300)]) {
      around.set(bytes, shift);
      const { tensors } = readSafetensors(around.subarray(shift, shift + bytes.length));
      expect([...tensors.get('w')!.data]).toEqual([1.5, -2]);
      expect([...tensors.get('n')!.data]).toEqual([9n]);
    }
  });
});

describe('a hostile or damaged file is refused with its place named', () => {
  const w = (fields: string) => `{"w":{${fields}}}`;
  const good = '"dtype":"F32","shape":[1],"data_offsets":[0,4]';
  const four = new Uint8Array(4);
  const eight = new Uint8Array(8);

  it.each<[string, Uint8Array, RegExp]>([
    ['empty', new Uint8Array(), /has 0 bytes/],
    ['seven bytes', new Uint8Array(7), /has 7 bytes/],
    [
      'a header that ends beyond the file',
      fileWith('{}', four, 100n),
      /bytes 8 to 108, but the file ends at 14/,
    ],
    ['a header of 10 GB', fileWith('{}', four, 10_000_000_000n), /claims 10000000000 bytes, more than/],
    ['a header of 2⁶⁴ − 1', fileWith('{}', four, 2n ** 64n - 1n), /claims 18446744073709551615 bytes/],
    ['no header', fileWith(''), /does not begin with "\{"/],
    ['a PNG', fileWith(Uint8Array.of(0x89, 0x50, 0x4e, 0x47)), /does not begin with "\{"/],
    ['an array as header', fileWith('[]'), /does not begin with "\{"/],
    ['leading white space', fileWith(' {}'), /does not begin with "\{"/],
    ['broken JSON', fileWith('{"w":'), /not valid JSON/],
    ['bytes that are not UTF-8', fileWith(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d)), /not UTF-8/],
    ['the same tensor twice', fileWith(`{"w":{${good}},"w":{${good}}}`, four), /has "w" twice/],
    [
      'the same tensor twice, once escaped',
      fileWith(`{"w":{${good}},"\\u0077":{${good}}}`, four),
      /has "w" twice/,
    ],
    ['a field twice', fileWith(w(`${good},"dtype":"I32"`), four), /has "dtype" twice/],
    ['metadata twice', fileWith('{"__metadata__":{},"__metadata__":{}}'), /has "__metadata__" twice/],
    ['metadata that is a list', fileWith('{"__metadata__":[]}'), /not an object of texts/],
    ['metadata with a number', fileWith('{"__metadata__":{"epoch":3}}'), /"epoch", which is not a text/],
    ['a tensor that is a number', fileWith('{"w":3}'), /"w" is described by something/],
    ['an unknown dtype', fileWith(w('"dtype":"F33","shape":[1],"data_offsets":[0,4]'), four), /dtype "F33"/],
    [
      'a dtype from Object.prototype',
      fileWith(w('"dtype":"toString","shape":[],"data_offsets":[0,0]')),
      /dtype "toS/,
    ],
    ['no dtype', fileWith(w('"shape":[1],"data_offsets":[0,4]'), four), /dtype missing/],
    ['no shape', fileWith(w('"dtype":"F32","data_offsets":[0,4]'), four), /shape missing/],
    ['no offsets', fileWith(w('"dtype":"F32","shape":[1]'), four), /data_offsets missing/],
    ['a negative size', fileWith(w('"dtype":"F32","shape":[-1],"data_offsets":[0,4]'), four), /shape \[-1\]/],
    [
      'a fractional size',
      fileWith(w('"dtype":"F32","shape":[1.5],"data_offsets":[0,6]'), eight),
      /shape \[1.5\]/,
    ],
    [
      'a size as text',
      fileWith(w('"dtype":"F32","shape":["1"],"data_offsets":[0,4]'), four),
      /shape \["1"\]/,
    ],
    [
      'a size of 2⁵³',
      fileWith(w('"dtype":"U8","shape":[9007199254740992],"data_offsets":[0,4]'), four),
      /shape/,
    ],
    [
      'sizes whose product overflows',
      fileWith(w('"dtype":"F32","shape":[4294967296,4294967296,4294967296],"data_offsets":[0,4]'), four),
      /more elements than can be counted/,
    ],
    [
      'an overflow hidden by a zero',
      fileWith(w('"dtype":"F32","shape":[4294967296,4294967296,0],"data_offsets":[0,0]')),
      /more elements than can be counted/,
    ],
    ['three offsets', fileWith(w('"dtype":"F32","shape":[1],"data_offsets":[0,4,8]'), four), /data_offsets/],
    [
      'negative offsets',
      fileWith(w('"dtype":"F32","shape":[1],"data_offsets":[-4,0]'), four),
      /data_offsets \[-4, 0\]/,
    ],
    [
      'offsets in the wrong order',
      fileWith(w('"dtype":"F32","shape":[1],"data_offsets":[4,0]'), four),
      /give -4/,
    ],
    [
      'too few bytes for the shape',
      fileWith(w('"dtype":"F32","shape":[2],"data_offsets":[0,4]'), four),
      /needs 8 bytes/,
    ],
    [
      'data cut short',
      fileWith(w('"dtype":"F32","shape":[2],"data_offsets":[0,8]'), four),
      /"w" lies at bytes .* cut short/,
    ],
    [
      'a hole before the first',
      fileWith(w('"dtype":"F32","shape":[1],"data_offsets":[4,8]'), eight),
      /"w" .* leaves a hole/,
    ],
    ['bytes behind the last', fileWith(w(good), eight), /bytes of no tensor/],
    ['bytes of no tensor at all', fileWith('{}', four), /bytes of no tensor/],
    [
      'two tensors on the same bytes',
      fileWith(`{"w":{${good}},"v":{${good}}}`, four),
      /tensor "v" begins at byte \d+ and overlaps/,
    ],
    [
      'a terabyte of which four bytes are there',
      fileWith(w('"dtype":"U8","shape":[1099511627776],"data_offsets":[0,1099511627776]'), four),
      /cut short/,
    ],
    [
      'very deep nesting',
      fileWith(w(`"dtype":"F32","shape":${'['.repeat(50_000)}${']'.repeat(50_000)}`)),
      /./,
    ],
    ['a very long name', fileWith(`{"${'\\\\'.repeat(500_000)}":3}`), /described by something/],
  ])('%s', (_, bytes, message) => {
    expect(() => readSafetensors(bytes)).toThrow(SafetensorsError);
    expect(() => readSafetensors(bytes)).toThrow(message);
  });

  it('messages stay short', () => {
    const bytes = fileWith(`{"${'x'.repeat(100_000)}":3}`);
    expect(() => readSafetensors(bytes)).toThrow(/^.{1,400}$/);
  });
});

describe('fuzzing', () => {
  /** Reads; passes if it is refused as it should be, or if what came back accounts for every byte. */
  function readsOrRefuses(bytes: Uint8Array): boolean {
    try {
      const { tensors } = readSafetensors(bytes);
      const header = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
      let covered = 8 + header;
      for (const { dtype, shape, data } of tensors.values()) {
        expect(data.length).toBe(shape.reduce((a, b) => a * b, 1));
        expect(data.BYTES_PER_ELEMENT).toBe(elementArrays[dtype].BYTES_PER_ELEMENT);
        covered += data.byteLength;
      }
      expect(covered).toBe(bytes.length);
      return true;
    } catch (error) {
      expect(error).toBeInstanceOf(SafetensorsError);
      return false;
    }
  }

  it('a file cut anywhere is refused', () => {
    fc.assert(
      fc.property(
        contents,
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        ({ tensors }, where) => {
          const bytes = writeSafetensors(tensors);
          expect(readsOrRefuses(bytes.subarray(0, Math.floor(where * bytes.length)))).toBe(false);
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('flipped, inserted and removed bytes', () => {
    const edit = fc.record({
      where: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      remove: fc.integer({ min: 0, max: 3 }),
      insert: fc.uint8Array({ maxLength: 3 }),
    });
    let refused = 0;
    fc.assert(
      fc.property(
        contents,
        fc.array(edit, { minLength: 1, maxLength: 4 }),
        ({ tensors, metadata }, edits) => {
          const bytes: number[] = [...writeSafetensors(tensors, metadata)];
          for (const { where, remove, insert } of edits)
            bytes.splice(Math.floor(where * bytes.length), remove, ...insert);
          if (!readsOrRefuses(Uint8Array.from(bytes))) refused++;
        },
      ),
      { numRuns: 4000 },
    );
    expect(refused).toBeGreaterThan(1000);
  });

  it('headers of any JSON', () => {
    const sizes = fc.array(fc.oneof(fc.integer({ min: -1, max: 5 }), fc.maxSafeNat(), fc.double()), {
      maxLength: 3,
    });
    const entry = fc.oneof(
      { weight: 1, arbitrary: fc.jsonValue() },
      {
        weight: 4,
        arbitrary: fc.record(
          {
            dtype: fc.oneof(fc.constantFrom(...SAFETENSORS_DTYPES), fc.string()),
            shape: sizes,
            data_offsets: sizes,
          },
          { requiredKeys: [] },
        ),
      },
    );
    fc.assert(
      fc.property(
        fc.dictionary(fc.oneof(name, fc.constant('__metadata__')), entry),
        fc.nat(40),
        (header, extra) => {
          readsOrRefuses(fileWith(JSON.stringify(header), new Uint8Array(extra)));
        },
      ),
      { numRuns: 3000 },
    );
  });

  it('bytes of any kind', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        readsOrRefuses(bytes);
      }),
      { numRuns: 2000 },
    );
  });
});

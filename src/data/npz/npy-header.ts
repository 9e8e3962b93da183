/**
 * The header of a .npy file: a magic word, a version, a length, and a Python literal that says what the bytes after it
 * are. Versions 1 to 3 differ in the length's width and the literal's encoding only. Nothing of Python is run: three keys
 * are taken out by their form, and whatever has another form is refused.
 */
export interface NpyHeader {
  readonly kind: 'u' | 'i' | 'f' | 'b';
  readonly bytesEach: 1 | 2 | 4 | 8;
  readonly bigEndian: boolean;
  readonly shape: readonly number[];
  /** Elements in all. */
  readonly count: number;
  /** Where the elements begin. */
  readonly dataStart: number;
}

/** An array that can't be used; the message says why, without a name. */
export class NpyError extends Error {}

/** numpy's own limit on what it evaluates is 10,000 characters. */
export const MAX_NPY_HEADER_BYTES = 65_536;
const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
const MAX_AXES = 32;

/** @param bytes the first of the file: all of it, or MAX_NPY_HEADER_BYTES. @throws NpyError */
export function readNpyHeader(bytes: Uint8Array): NpyHeader {
  if (!MAGIC.every((byte, i) => bytes[i] === byte)) throw new NpyError('does not begin as a .npy file.');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = bytes[6] ?? 0;
  if (version < 1 || version > 3)
    throw new NpyError(`is of version ${version} of the format; 1 to 3 are read.`);
  const start = version === 1 ? 10 : 12;
  if (bytes.length < start) throw new NpyError('ends within its header.');
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (start + length > MAX_NPY_HEADER_BYTES) throw new NpyError(`has a header of ${length} bytes.`);
  if (start + length > bytes.length) throw new NpyError('ends within its header.');
  const text = new TextDecoder('latin1').decode(bytes.subarray(start, start + length));
  return { ...readLiteral(text), dataStart: start + length };
}

const DESCRIPTION = /'descr'\s*:\s*'([<>|=])([A-Za-z])(\d{0,4})'\s*[,}]/;
const ORDER = /'fortran_order'\s*:\s*(True|False)\s*[,}]/;
const SHAPE = /'shape'\s*:\s*\(\s*((?:\d{1,15}\s*,\s*)*(?:\d{1,15})?)\s*\)\s*[,}]/;

function readLiteral(text: string): Omit<NpyHeader, 'dataStart'> {
  const [, order = '', kind = '', size = ''] = DESCRIPTION.exec(text) ?? [];
  const fortran = ORDER.exec(text)?.[1];
  const axes = SHAPE.exec(text)?.[1];
  if (kind === 'O') throw new NpyError('holds Python objects, which are not loaded: save numbers.');
  if (!isKind(kind) || !isSize(size) || (kind === 'f' && size === '1') || (kind === 'b' && size !== '1')) {
    throw new NpyError('holds another type than integers, booleans, or floats of 16 to 64 bits.');
  }
  if (fortran === undefined || axes === undefined) throw new NpyError('has a header that is not numpy’s.');
  if (fortran === 'True') {
    throw new NpyError('is in Fortran order, which is not read: save numpy.ascontiguousarray(…) of it.');
  }
  const shape = axes === '' ? [] : axes.replace(/,\s*$/, '').split(',').map(Number);
  const count = shape.reduce((product, length) => product * length, 1);
  if (shape.length > MAX_AXES || !Number.isSafeInteger(count * 8)) {
    throw new NpyError('has a shape that no memory holds.');
  }
  return { kind, bytesEach: Number(size) as NpyHeader['bytesEach'], bigEndian: order === '>', shape, count };
}

function isKind(kind: string): kind is NpyHeader['kind'] {
  return /^[uifb]$/.test(kind);
}

function isSize(size: string): boolean {
  return /^[1248]$/.test(size);
}

/** Element `i` of an array as a number; integers of 64 bits beyond 2⁵³ are rounded. */
export function elementReader(
  { kind, bytesEach, bigEndian }: NpyHeader,
  bytes: Uint8Array,
): (i: number) => number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = !bigEndian;
  if (kind === 'f') {
    if (bytesEach === 2) return (i) => half(view.getUint16(2 * i, little));
    return bytesEach === 4 ? (i) => view.getFloat32(4 * i, little) : (i) => view.getFloat64(8 * i, little);
  }
  const signed = kind === 'i';
  switch (bytesEach) {
    case 1:
      return signed ? (i) => view.getInt8(i) : (i) => view.getUint8(i);
    case 2:
      return signed ? (i) => view.getInt16(2 * i, little) : (i) => view.getUint16(2 * i, little);
    case 4:
      return signed ? (i) => view.getInt32(4 * i, little) : (i) => view.getUint32(4 * i, little);
    default:
      return signed
        ? (i) => Number(view.getBigInt64(8 * i, little))
        : (i) => Number(view.getBigUint64(8 * i, little));
  }
}

/** IEEE 754's binary16. */
function half(bits: number): number {
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
  const size =
    exponent === 31
      ? fraction === 0
        ? Number.POSITIVE_INFINITY
        : Number.NaN
      : exponent === 0
        ? fraction * 2 ** -24
        : (1024 + fraction) * 2 ** (exponent - 25);
  return bits >> 15 === 1 ? -size : size;
}

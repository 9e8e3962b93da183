import { elementCount } from '../engine/graph/tensor.js';

/** "\x93NUMPY" and the version of the format, 1.0. */
const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0];
/** The values begin at a multiple of this. */
const ALIGNMENT = 64;

/**
 * Bytes of a NumPy file (.npy, format 1.0): magic, the header's length as a little-endian u16, the header as a literal of
 * Python's, then the values, here little-endian float32 in C order.
 * @throws RangeError where the values do not fill the shape
 */
export function npyBytes(shape: readonly number[], values: Float32Array): Uint8Array<ArrayBuffer> {
  if (values.length !== elementCount(shape)) {
    throw new RangeError(`${values.length} values are no tensor of [${shape.join(', ')}]`);
  }
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const literal = `{'descr': '<f4', 'fortran_order': False, 'shape': (${sizes}), }`;
  const front = MAGIC.length + 2;
  // a line feed ends the header
  const start = Math.ceil((front + literal.length + 1) / ALIGNMENT) * ALIGNMENT;
  const header = `${literal.padEnd(start - front - 1)}\n`;
  const bytes = new Uint8Array(start + 4 * values.length);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  view.setUint16(MAGIC.length, header.length, true);
  bytes.set(new TextEncoder().encode(header), front);
  for (let i = 0; i < values.length; i++) view.setFloat32(start + 4 * i, values[i] as number, true);
  return bytes;
}

/**
 * The twin of hash_weights.py: weights that PyTorch and this project make alike without exchanging a file.
 *
 *     h = lowbias32(fnv1a32(name as UTF-8) + index)      index: position in PyTorch's own order, row-major
 *     u = (h >> 8) · 2⁻²³ − 1                            in [−1, 1), exact in float32
 *
 * All arithmetic on 32-bit unsigned integers; lowbias32 is Wellons' mixer. hash-weights.json holds both sides together.
 */

/** float32 [count], uniform in [−1, 1). */
export function hashUniform(name: string, count: number): Float32Array<ArrayBuffer> {
  const base = fnv1a32(name);
  const values = new Float32Array(count);
  for (let i = 0; i < count; i++) values[i] = (lowbias32((base + i) >>> 0) >>> 8) * 2 ** -23 - 1;
  return values;
}

/**
 * A parameter or buffer of a model, by timm's name and PyTorch's shape ([out, in / groups, kh, kw] for convolutions), in
 * PyTorch's order: what a weights file would hold.
 */
export function hashTensor(name: string, shape: readonly number[]): Float32Array<ArrayBuffer> {
  const { scale, offset } = rule(name, shape);
  const values = hashUniform(
    name,
    shape.reduce((a, b) => a * b, 1),
  );
  for (let i = 0; i < values.length; i++) values[i] = (values[i] as number) * scale + offset;
  return values;
}

/**
 * Pictures of a golden file: [n, h, w, c] in that order, squares of 8×8 pixels in [−1, 1) under noise in [−½, ½).
 * @param number which pictures, as the golden file says
 */
export function hashImages(shape: readonly [number, number, number, number], number: number) {
  const [n, h, w, c] = shape;
  const noise = hashUniform(`images/${number}`, n * h * w * c);
  const rows = Math.ceil(h / 8);
  const columns = Math.ceil(w / 8);
  const squares = hashUniform(`images/${number}/coarse`, n * rows * columns * c);
  return noise.map((value, i) => {
    const channel = i % c;
    const x = Math.floor(i / c) % w;
    const y = Math.floor(i / (c * w)) % h;
    const image = Math.floor(i / (c * w * h));
    const square = squares[((image * rows + (y >> 3)) * columns + (x >> 3)) * c + channel] as number;
    return square + 0.5 * value;
  });
}

/** Grey pictures of a golden file: [n, h, w], those of `hashImages` as 16-bit integers, 0 to 65535 for −1.5 to 1.5. */
export function hashPixels(shape: readonly [number, number, number], number: number) {
  return Uint16Array.from(hashImages([...shape, 1], number), (value) =>
    Math.floor((value + 1.5) * (65535 / 3) + 0.5),
  );
}

/** A uniform value in [−1, 1) has variance 1/3. */
function rule(name: string, shape: readonly number[]): { scale: number; offset: number } {
  const [outputs = 1, inputs = 1, height = 1, width = 1] = shape;
  // a DenseNet's: Kaiming normal's variance, fan-in
  if (shape.length === 4 && name.startsWith('features.')) {
    return { scale: Math.sqrt(6 / (inputs * height * width)), offset: 0 };
  }
  // Kaiming normal's variance, fan-out
  if (shape.length === 4) return { scale: Math.sqrt(6 / (outputs * height * width)), offset: 0 };
  // the classifier
  if (shape.length === 2) return { scale: 1 / Math.sqrt(inputs), offset: 0 };
  if (name.endsWith('running_mean')) return { scale: 0.2, offset: 0 };
  if (name.endsWith('running_var')) return { scale: 0.25, offset: 1 };
  // a layer scale
  if (name.endsWith('gamma')) return { scale: 0.1, offset: 0.2 };
  // small where a block ends, as in trained networks: larger ones amplify rounding from block to block
  if (/^layer.*bn[23]\.weight$/.test(name)) return { scale: 0.1, offset: 0.2 };
  // keeps a bottleneck's sum away from the corner of its ReLU
  if (name.endsWith('bn3.bias')) return { scale: 0.1, offset: 0.2 };
  // other batch norms
  if (name.endsWith('weight')) return { scale: 0.25, offset: 1 };
  // biases
  return { scale: 0.1, offset: 0 };
}

export function fnv1a32(text: string): number {
  let h = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) h = Math.imul(h ^ byte, 0x01000193);
  return h >>> 0;
}

export function lowbias32(value: number): number {
  let x = value;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}

import { COUNTER_HASH } from '../counter-hash.js';
import { type Device, roundUp } from '../device.js';
import { type Binding, byteLength, type DType, elementCount, type TensorSpec } from '../graph/tensor.js';
import { bindStep } from '../run/bindings.js';
import { recordCommands } from '../run/commands.js';
import { DimsBuffer } from '../run/dims-buffer.js';

/**
 * Whether two kernels give the same result but for rounding, found out on the device: operands of random values, and the
 * largest difference of two results. Nothing large is read back.
 */

/** A tensor and where its values lie. */
export interface Placed {
  readonly spec: TensorSpec;
  readonly buffer: GPUBuffer;
  readonly offset: number;
}

/** How far apart two results are. */
export interface Difference {
  /** Of two finite values, as a part of the largest value of the reference. */
  readonly largest: number;
  /** Values that are no number in one of the two alone, are infinite otherwise, or (integers) are not the same. */
  readonly unlike: number;
}

/**
 * Random values in [-1, 1), always the same ones for the same number. Integers become 0, which is an index into anything.
 * @param seed tells the tensor apart from others
 */
export async function fillRandom(device: Device, tensor: Placed, seed: number): Promise<void> {
  const words = Math.ceil(byteLength(tensor.spec) / 4);
  await runOnce(device, [tensor], {
    code: FILL_CODE,
    bindings: [{ access: 'read_write', type: 'u32' }],
    dims: { words, kind: KINDS[tensor.spec.dtype], seed },
    items: words,
  });
}

/** @param reference a tensor of the same shape and type */
export async function differenceOf(device: Device, result: Placed, reference: Placed): Promise<Difference> {
  const elements = elementCount(reference.spec.shape);
  const sums = await device.createBuffer('difference of two results', 16);
  const out: Placed = { spec: { shape: [4], dtype: 'u32' }, buffer: sums, offset: 0 };
  try {
    await runOnce(device, [result, reference, out], {
      code: COMPARE_CODE,
      bindings: [
        { access: 'read', type: 'u32' },
        { access: 'read', type: 'u32' },
        { access: 'read_write', type: 'atomic<u32>' },
      ],
      dims: { elements, kind: KINDS[reference.spec.dtype] },
      items: elements,
    });
    const words = await device.read(sums, 0, 12);
    const [most = 0, scale = 0] = new Float32Array(words);
    const [, , unlike = 0] = new Uint32Array(words);
    return { largest: most === 0 ? 0 : most / scale, unlike };
  } finally {
    sums.destroy();
  }
}

/**
 * The largest difference that rounding explains, as a part of the largest value: results are sums of about `depth` terms,
 * which kernels add up in different orders. The error of a sum of random terms grows with the root of their number.
 * @param halves whether operands or results are f16, which some kernels also add up in
 */
export function tolerance(depth: number, halves: boolean): number {
  const root = Math.sqrt(Math.max(1, depth));
  return halves ? 2 ** -11 * Math.max(8, root) : 2 ** -23 * Math.max(64, 16 * root);
}

const KINDS: Readonly<Record<DType, number>> = { f32: 0, f16: 1, u32: 2 };
const LANES = 64;
const MOST_WORKGROUPS = 1024;

interface OneStep {
  readonly code: string;
  /** Of each tensor. */
  readonly bindings: readonly Pick<Binding, 'access' | 'type'>[];
  readonly dims: Readonly<Record<string, number>>;
  /** That lanes take in turn. */
  readonly items: number;
}

async function runOnce(
  device: Device,
  tensors: readonly Placed[],
  { code, bindings, dims, items }: OneStep,
): Promise<void> {
  const sizes = await DimsBuffer.create(device, 256);
  try {
    const groups = Math.min(MOST_WORKGROUPS, Math.ceil(items / LANES));
    const named = bindings.map((binding, index): Binding => {
      return { ...binding, name: `t${index}`, operand: { kind: 'input', index } };
    });
    const command = await bindStep(
      device,
      'comparison of kernels',
      { kind: 'dispatch', code, bindings: named, workgroups: [groups, 1, 1], dims },
      [
        ...tensors.map(({ spec, buffer, offset }) => ({
          buffer,
          offset,
          size: roundUp(byteLength(spec), 16),
        })),
        sizes.add(dims),
      ],
    );
    sizes.upload();
    const encoder = device.gpu.createCommandEncoder();
    recordCommands(encoder, [{ command }]);
    device.gpu.queue.submit([encoder.finish()]);
  } finally {
    sizes.buffer.destroy();
  }
}

const MAIN = `@compute @workgroup_size(${LANES})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u)`;

const FILL_CODE = `${COUNTER_HASH}
fn signed(i: u32) -> f32 { return f32(counterHash(i, dims.seed, 0u) >> 8u) * 0x1p-23 - 1.0; }
${MAIN} {
  for (var i = id.x; i < dims.words; i += groups.x * ${LANES}u) {
    var word = 0u;
    if (dims.kind == 0u) { word = bitcast<u32>(signed(i)); }
    if (dims.kind == 1u) {
      word = pack2x16float(vec2f(signed(2u * i), signed(2u * i + 1u)));
    }
    t0[i] = word;
  }
}`;

/**
 * WGSL lets a compiler assume that no NaN exists, so bits are looked at first. The bits of floats that are not negative
 * are in the floats' order.
 */
const COMPARE_CODE = `const EXPONENT = 0x7f800000u;
fn bits(word: u32, i: u32) -> u32 {
  if (dims.kind != 1u) { return word; }
  let half = (word >> (16u * (i & 1u))) & 0xffffu;
  if ((half & 0x7c00u) == 0x7c00u) { return ((half & 0x8000u) << 16u) | EXPONENT | (half & 0x3ffu); }
  return bitcast<u32>(unpack2x16float(half).x);
}
fn isNan(word: u32) -> bool { return (word & 0x7fffffffu) > EXPONENT; }
${MAIN} {
  var most = 0.0;
  var scale = 0.0;
  var unlike = 0u;
  for (var i = id.x; i < dims.elements; i += groups.x * ${LANES}u) {
    let at = select(i, i / 2u, dims.kind == 1u);
    let a = bits(t0[at], i);
    let b = bits(t1[at], i);
    if (dims.kind == 2u || (a & EXPONENT) == EXPONENT || (b & EXPONENT) == EXPONENT) {
      let both = dims.kind != 2u && isNan(a) && isNan(b);
      if (a != b && !both) { unlike++; }
      continue;
    }
    most = max(most, abs(bitcast<f32>(a) - bitcast<f32>(b)));
    scale = max(scale, abs(bitcast<f32>(b)));
  }
  atomicMax(&t2[0], bitcast<u32>(most));
  atomicMax(&t2[1], bitcast<u32>(scale));
  atomicAdd(&t2[2], unlike);
}`;

import {
  at,
  type Binding,
  type DeviceTraits,
  type Kernel,
  type Operand,
  type Problem,
} from '../../../engine/graph/tensor.js';
import { addUp } from '../../reduce/split-sum.js';
import type { ConvGeometry } from '../conv-geometry.js';
import {
  columnsOfLane,
  each,
  elementType,
  fetch,
  fetchSetup,
  joined,
  type Mixing,
  mixedChannel,
  mixedValues,
  mixing,
  type Part,
  parts,
  type RollingLane,
  RollingSteps,
  shares,
} from './rolling-lane.js';

/**
 * The weight gradient of a depthwise or narrowly grouped convolution in the manner of conv-rolling-gather.ts:
 * dw[ky, kx, c, o] = Σ over pixels x[y·stride + ky − pad, x·stride + kx − pad, c of o's group] · dy[y, x, o].
 *
 * A lane owns a few channels and a few neighbouring columns of dy, and all their weights as accumulators. It walks down
 * the rows of x once; the rows of dy that the current row of x meets roll along, so that each value is loaded once a lane.
 * The lanes' sums over their own columns, rows and images are added up in order afterwards.
 *
 * @param bias output 1 is the gradient of a bias behind the convolution: Σ dy[y, x, o], one more sum of a lane
 */
export function rollingWeightGradient(
  { inputs, attributes: g }: Problem<ConvGeometry>,
  lane: RollingLane,
  traits: DeviceTraits,
  bias = false,
): Kernel {
  const kernel = new RollingSteps(lane, traits);
  const image = kernel.stage('image', { kind: 'input', index: 0 }, at(inputs, 0), g.n * g.h * g.w * g.c);
  const gradient = kernel.stage(
    'gradient',
    { kind: 'input', index: 1 },
    at(inputs, 1),
    g.n * g.oh * g.ow * g.o,
  );

  const mix = mixing(g.c, g.o, g.groups, lane);
  const rows = Math.max(1, mix.mixed);
  const shape: Omit<WeightShape, 'bias'> = {
    mix,
    kh: g.kh,
    kw: g.kw,
    strideY: g.strideY,
    strideX: g.strideX,
    columns: columnsOfLane({ width: g.ow, stride: g.strideX, weights: g.kh * g.kw * rows }, lane),
  };
  const depth = depthOf(shape);
  const strips = Math.ceil(g.ow / shape.columns);
  const enough = enoughGroups(lane, traits);
  const stripShare =
    traits.kind === 'gpu' ? stripsOfLane(strips, enough, { lane, outputs: mix.outputs, images: g.n }) : 1;
  const lanesAcross = Math.ceil(strips / stripShare);
  const items = lanesAcross * mix.outputs;
  const workgroups = Math.ceil(items / lane.lanes);
  // Steps that meet both a row of x and a row of dy; for a bias, all rows of dy.
  const firstStep = Math.floor(g.padTop / g.strideY);
  const endStep = Math.max(
    bias ? g.oh : 0,
    Math.min(g.oh + depth - 1, Math.ceil((g.h + g.padTop) / g.strideY)),
  );
  const steps = Math.max(1, endStep - firstStep);
  const share = shares({ workgroups, images: g.n, rows: steps, overlap: depth - 1, enough }, traits);
  const splits = lanesAcross * share.rows * share.images;
  const elements = g.kh * g.kw * rows * g.o;
  const second = bias ? g.o : 0;
  const output: Operand = { kind: 'output', index: 0 };
  const target = splits > 1 ? kernel.buffer(splits * (elements + second) * 4) : output;
  const biasSum = bias ? (splits > 1 ? 'behind the weights' : 'apart') : undefined;
  const apart: Binding = {
    name: 'bias',
    operand: { kind: 'output', index: 1 },
    access: 'read_write',
    type: elementType(lane),
  };
  kernel.steps.push({
    kind: 'dispatch',
    bindings: [
      image.binding,
      gradient.binding,
      { name: 'result', operand: target, access: 'read_write', type: elementType(lane) },
      ...(biasSum === 'apart' ? [apart] : []),
    ],
    workgroups: [workgroups, share.rows, share.images],
    dims: {
      ...image.dims,
      ...gradient.dims,
      items,
      inputs: mix.inputs,
      outputs: mix.outputs,
      groupInputs: mix.groupInputs,
      groupOutputs: mix.groupOutputs,
      stripShare,
      lanesAcross,
      weights: g.kh * g.kw * rows + (biasSum === 'behind the weights' ? 1 : 0),
      n: g.n,
      h: g.h,
      w: g.w,
      oh: g.oh,
      ow: g.ow,
      padY: g.padTop,
      padX: g.padLeft,
      firstStep,
      endStep,
      rowShares: share.rows,
      rowShare: share.rowShare,
      imageShare: share.imageShare,
    },
    code: weightCode({ ...shape, bias: biasSum }, lane),
  });
  if (splits > 1) {
    kernel.append(addUp(target, output, { splits, elements, second, traits }, kernel.scratch.length));
  }
  return kernel.kernel;
}

/** A GPU does with fewer lanes than where images are the result: each is a set of sums more to write and to add up. */
function enoughGroups(lane: RollingLane, traits: DeviceTraits): number {
  return traits.kind === 'gpu' ? lane.enough(traits) / 2 : lane.enough(traits);
}

/** How many strips of columns a lane walks. Images are cut first, then strips, and rows last: their shares overlap. */
function stripsOfLane(
  strips: number,
  enough: number,
  { lane, outputs, images }: { lane: RollingLane; outputs: number; images: number },
): number {
  const across = Math.ceil((enough * lane.lanes) / (outputs * images));
  return Math.max(1, Math.floor(strips / across));
}

/** The WGSL depends on this; all other sizes come as `dims`. */
interface WeightShape {
  readonly mix: Mixing;
  readonly kh: number;
  readonly kw: number;
  readonly strideY: number;
  readonly strideX: number;
  readonly columns: number;
  /** Where the sum of dy goes: behind the last weight of a lane's sums, or to a result of its own. */
  readonly bias: 'behind the weights' | 'apart' | undefined;
}

/** Rows of dy that one step meets. */
function depthOf({ kh, strideY }: Pick<WeightShape, 'kh' | 'strideY'>): number {
  return Math.ceil(kh / strideY);
}

/**
 * `sY_X_Q`: the sum of a tap for mixed channel Q. `dJ_I`: row t − J of dy, column I. `vI_U`: value U of input column I of
 * the current row. `b`: the sum of dy.
 *
 * Sample (weight gradient of a depthwise 2×2 convolution, one channel a lane):
 *
 *     for (; t < t1; t++) {
 *       d1_0 = d0_0;
 *       …
 *       let e0 = select(f32(), f32(gradient[g0]), met && on0);
 *       d0_0 = e0;
 *       …
 *       let v0_0 = select(f32(), f32(image[p0_0]), real && in0);
 *       …
 *       s0_0_0 += v0_0 * d0_0;
 *       s0_0_0 += v1_0 * d0_1;
 *       …
 *       s0_1_0 += v1_0 * d0_0;
 *       …
 *       s1_0_0 += v0_0 * d1_0;
 */
function weightCode(shape: WeightShape, lane: RollingLane): string {
  const { mix, kh, kw, strideY, strideX, columns, bias } = shape;
  const values = mixedValues(mix, lane);
  const rows = Math.max(1, mix.mixed);
  const depth = depthOf(shape);
  const width = (columns - 1) * strideX + kw;
  const type = elementType(lane);
  const scalars = (line: (part: Part) => string) => parts(lane).map(line).join(' ');
  const rollGradient = `${each(depth - 1, (j) =>
    each(columns, (i) =>
      scalars(({ name }) => `d${depth - 1 - j}_${i}${name} = d${depth - 2 - j}_${i}${name};`),
    ),
  )}
      let met = t < i32(dims.oh);
      let gradientLine = (n * dims.oh + u32(clamp(t, 0, i32(dims.oh) - 1))) * dims.ow * outputs;
${each(
  columns,
  (i) => `      let g${i} = gradientLine + k${i};
      let e${i} = select(${type}(), ${fetch(lane, 'gradient', `g${i}`)}, met && on${i});
      ${scalars(({ name, member }) => `d0_${i}${name} = e${i}${member};`)}`,
)}`;
  const addBias = bias ? each(columns, (i) => scalars(({ name }) => `b${name} += d0_${i}${name};`)) : '';
  const accumulate = (row: number) =>
    parts(lane)
      .map(({ name, member }) =>
        each(depth, (j) => {
          const ky = j * strideY + row;
          if (ky >= kh) return '';
          return each(kw, (k) =>
            each(rows, (q) =>
              each(columns, (i) => {
                const v = `v${i * strideX + k}`;
                const input = mix.mixed === 0 ? `${v}_0${member}` : mixedChannel(v, q, lane);
                return `s${ky}_${k}_${q}${name} += ${input} * d${j}_${i}${name};`;
              }),
            ),
          );
        }),
      )
      .join('\n');
  const sums = Array.from({ length: kh * kw * rows }, (_, i) => {
    const tap = Math.floor(i / rows);
    return joined(lane, `s${Math.floor(tap / kw)}_${tap % kw}_${i % rows}`);
  });
  if (bias === 'behind the weights') sums.push(joined(lane, 'b'));
  return `
@compute @workgroup_size(${lane.lanes})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
  let own = group.x * ${lane.lanes}u + index;
  let item = min(own, dims.items - 1u);
  let inputs = dims.inputs;
  let outputs = dims.outputs;
  let channel = item % outputs;
  let firstInput = (channel / dims.groupOutputs) * dims.groupInputs;
  let firstStrip = item / outputs;
  let w = i32(dims.w);
  let h = i32(dims.h);
  ${fetchSetup(lane, 'image')}
  ${fetchSetup(lane, 'gradient')}
  let t0 = i32(dims.firstStep + group.y * dims.rowShare);
  let t1 = min(t0 + i32(dims.rowShare), i32(dims.endStep));
${each(kh, (y) => each(kw, (x) => each(rows, (q) => scalars(({ name }) => `var s${y}_${x}_${q}${name} = 0.0;`))))}
${bias ? scalars(({ name }) => `var b${name} = 0.0;`) : ''}
  for (var turn = 0u; turn < dims.stripShare; turn++) {
  let column = (firstStrip + turn * dims.lanesAcross) * ${columns}u;
  let left = i32(column * ${strideX}u) - i32(dims.padX);
${each(
  width,
  (i) => `  let c${i} = u32(clamp(left + ${i}, 0, w - 1)) * inputs + firstInput;
  let in${i} = left + ${i} >= 0 && left + ${i} < w;`,
)}
${each(
  columns,
  (i) => `  let k${i} = min(column + ${i}u, dims.ow - 1u) * outputs + channel;
  let on${i} = column + ${i}u < dims.ow;`,
)}
  for (var n = group.z * dims.imageShare; n < min((group.z + 1u) * dims.imageShare, dims.n); n++) {
${each(depth, (j) => each(columns, (i) => scalars(({ name }) => `var d${j}_${i}${name} = 0.0;`)))}
    var t = max(0, t0 - ${depth - 1});
    for (; t < t0; t++) {
${rollGradient}
${bias ? `      if (group.y == 0u) { ${addBias} }` : ''}
    }
    for (; t < t1; t++) {
${rollGradient}
${addBias}
${each(
  strideY,
  (row) => `      {
      let y = t * ${strideY} + ${row} - i32(dims.padY);
      let real = y >= 0 && y < h;
      let line = (n * dims.h + u32(clamp(y, 0, h - 1))) * dims.w * inputs;
${each(width, (i) =>
  each(
    values,
    (u) => `      let p${i}_${u} = line + c${i} + ${u}u;
      let v${i}_${u} = select(${type}(), ${fetch(lane, 'image', `p${i}_${u}`)}, real && in${i});`,
  ),
)}
${accumulate(row)}
      }`,
)}
    }
  }
  }
  if (own < dims.items) {
    let part = (group.z * dims.rowShares + group.y) * dims.lanesAcross + firstStrip;
    // A loop over the sums: stores written out would be most of the code.
    let sums = array<${type}, ${sums.length}>(${sums.join(', ')});
    for (var weight = 0u; weight < dims.weights; weight++) {
      result[(part * dims.weights + weight) * outputs + channel] = sums[weight];
    }
    ${bias === 'apart' ? `bias[channel] = ${joined(lane, 'b')};` : ''}
  }
}`;
}

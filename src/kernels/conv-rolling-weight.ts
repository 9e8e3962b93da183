import type { DeviceTraits, Kernel, Operand } from '../engine/tensor.js';
import type { ConvGeometry } from './conv-geometry.js';
import {
  columnsOfLane,
  each,
  elementType,
  fetch,
  fetchSetup,
  joined,
  type Part,
  parts,
  type RollingLane,
  RollingSteps,
  shares,
} from './rolling-lane.js';
import { addUp } from './split-sum.js';

/**
 * The weight gradient of a depthwise convolution in the manner of conv-rolling.ts:
 * dw[ky, kx, c] = Σ over pixels x[y·stride + ky − pad, x·stride + kx − pad, c] · dy[y, x, c].
 *
 * A lane owns a few channels, a few neighbouring columns of dy, and all taps as accumulators. It walks down the rows of
 * x once; the rows of dy that the current row of x meets roll along, so that each value is loaded once a lane. The lanes'
 * sums over their own columns, rows and images are added up in order afterwards.
 */
export function rollingWeightGradient(g: ConvGeometry, lane: RollingLane, traits: DeviceTraits): Kernel {
  const kernel = new RollingSteps(lane, traits);
  const image = kernel.stage('image', { kind: 'input', index: 0 }, g.n * g.h * g.w * g.c);
  const gradient = kernel.stage('gradient', { kind: 'input', index: 1 }, g.n * g.oh * g.ow * g.o);

  const shape: WeightShape = {
    kh: g.kh,
    kw: g.kw,
    strideY: g.strideY,
    strideX: g.strideX,
    columns: columnsOfLane(g.ow, g.strideX, lane),
  };
  const depth = depthOf(shape);
  const channels = g.c / lane.width;
  const tiles = Math.ceil(g.ow / shape.columns);
  const items = tiles * channels;
  const groups = Math.ceil(items / lane.lanes);
  // Steps that meet both a row of x and a row of dy.
  const firstStep = Math.floor(g.padTop / g.strideY);
  const endStep = Math.min(g.oh + depth - 1, Math.ceil((g.h + g.padTop) / g.strideY));
  const rows = Math.max(1, endStep - firstStep);
  const share = shares({ groups, images: g.n, rows, overlap: depth - 1 }, lane);
  const splits = tiles * share.rows * share.images;
  const elements = g.kh * g.kw * g.c;
  const output: Operand = { kind: 'output', index: 0 };
  const target = splits > 1 ? kernel.buffer(splits * elements * 4) : output;
  kernel.steps.push({
    kind: 'dispatch',
    bindings: [
      image.binding,
      gradient.binding,
      { name: 'result', operand: target, access: 'read_write', type: elementType(lane) },
    ],
    workgroups: [groups, share.rows, share.images],
    dims: {
      ...image.dims,
      ...gradient.dims,
      items,
      channels,
      tiles,
      taps: g.kh * g.kw,
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
    code: weightCode(shape, lane),
  });
  if (splits > 1) kernel.steps.push(addUp(target, output, splits, elements, traits));
  return kernel.kernel;
}

/** What the WGSL depends on; all else comes as `dims`. */
interface WeightShape {
  readonly kh: number;
  readonly kw: number;
  readonly strideY: number;
  readonly strideX: number;
  readonly columns: number;
}

/** Rows of dy that one step meets. */
function depthOf({ kh, strideY }: WeightShape): number {
  return Math.ceil(kh / strideY);
}

/** `sY_X`: the sum of a tap. `dJ_I`: row t − J of dy, column I. `vI`: input column I of the current row. */
function weightCode(shape: WeightShape, lane: RollingLane): string {
  const { kh, kw, strideY, strideX, columns } = shape;
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
      let gradientLine = (n * dims.oh + u32(clamp(t, 0, i32(dims.oh) - 1))) * dims.ow * channels;
${each(
  columns,
  (i) => `      let g${i} = gradientLine + k${i};
      let e${i} = select(${type}(), ${fetch(lane, 'gradient', `g${i}`)}, met && on${i});
      ${scalars(({ name, member }) => `d0_${i}${name} = e${i}${member};`)}`,
)}`;
  const accumulate = (row: number) =>
    parts(lane)
      .map(({ name, member }) =>
        each(depth, (j) => {
          const ky = j * strideY + row;
          if (ky >= kh) return '';
          return each(kw, (k) =>
            each(columns, (i) => `s${ky}_${k}${name} += v${i * strideX + k}${member} * d${j}_${i}${name};`),
          );
        }),
      )
      .join('\n');
  return `
@compute @workgroup_size(${lane.lanes})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
  let own = group.x * ${lane.lanes}u + index;
  let item = min(own, dims.items - 1u);
  let channels = dims.channels;
  let channel = item % channels;
  let tile = item / channels;
  let column = tile * ${columns}u;
  let w = i32(dims.w);
  let h = i32(dims.h);
  let left = i32(column * ${strideX}u) - i32(dims.padX);
  ${fetchSetup(lane, 'image')}
  ${fetchSetup(lane, 'gradient')}
${each(
  width,
  (i) => `  let c${i} = u32(clamp(left + ${i}, 0, w - 1)) * channels + channel;
  let in${i} = left + ${i} >= 0 && left + ${i} < w;`,
)}
${each(
  columns,
  (i) => `  let k${i} = min(column + ${i}u, dims.ow - 1u) * channels + channel;
  let on${i} = column + ${i}u < dims.ow;`,
)}
  let t0 = i32(dims.firstStep + group.y * dims.rowShare);
  let t1 = min(t0 + i32(dims.rowShare), i32(dims.endStep));
${each(kh, (y) => each(kw, (x) => scalars(({ name }) => `var s${y}_${x}${name} = 0.0;`)))}
  for (var n = group.z * dims.imageShare; n < min((group.z + 1u) * dims.imageShare, dims.n); n++) {
${each(depth, (j) => each(columns, (i) => scalars(({ name }) => `var d${j}_${i}${name} = 0.0;`)))}
    var t = max(0, t0 - ${depth - 1});
    for (; t < t0; t++) {
${rollGradient}
    }
    for (; t < t1; t++) {
${rollGradient}
${each(
  strideY,
  (row) => `      {
      let y = t * ${strideY} + ${row} - i32(dims.padY);
      let real = y >= 0 && y < h;
      let line = (n * dims.h + u32(clamp(y, 0, h - 1))) * dims.w * channels;
${each(
  width,
  (i) => `      let p${i} = line + c${i};
      let v${i} = select(${type}(), ${fetch(lane, 'image', `p${i}`)}, real && in${i});`,
)}
${accumulate(row)}
      }`,
)}
    }
  }
  if (own < dims.items) {
    let part = (group.z * dims.rowShares + group.y) * dims.tiles + tile;
    let sums = array<${type}, ${kh * kw}>(${Array.from({ length: kh * kw }, (_, i) => joined(lane, `s${Math.floor(i / kw)}_${i % kw}`)).join(', ')});
    for (var tap = 0u; tap < dims.taps; tap++) {
      result[(part * dims.taps + tap) * channels + channel] = sums[tap];
    }
  }
}`;
}

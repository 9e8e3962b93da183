import type {
  DeviceTraits,
  Kernel,
  KernelStep,
  Operand,
  Problem,
  Variant,
} from '../../engine/graph/tensor.js';
import { type Epilogue, type FinishingVariant, NO_EPILOGUE } from '../common/epilogue.js';
import { storageTypeOf } from '../common/storage-type.js';
import { splitSum } from '../reduce/split-sum.js';
import type { ConvGeometry } from './conv-geometry.js';

/**
 * The plain convolution kernels: one lane computes one pixel and up to four channels, straight from the definition.
 * They run every geometry (groups, odd sizes) on every device; the other variants only have to be faster.
 */
export const forward: FinishingVariant<ConvGeometry> = {
  name: 'direct',
  finishes: true,
  unfit: () => undefined,
  rank: () => 100,
  build(problem, traits, epilogue = NO_EPILOGUE) {
    const { attributes: g } = problem;
    const width = channelWidth(g.o / g.groups);
    const lanes = (g.n * g.oh * g.ow * g.o) / width;
    return {
      scratch: [],
      steps: [finishingStep(problem, ['x', 'w', 'y'], { ...g, lanes }, forwardCode(width), epilogue, traits)],
    };
  },
};

export const inputGradient: FinishingVariant<ConvGeometry> = {
  name: 'direct',
  finishes: true,
  unfit: () => undefined,
  rank: () => 100,
  build(problem, traits, epilogue = NO_EPILOGUE) {
    const { attributes: g } = problem;
    const width = channelWidth(g.c / g.groups);
    const lanes = (g.n * g.h * g.w * g.c) / width;
    return {
      scratch: [],
      steps: [
        finishingStep(
          problem,
          ['dy', 'w', 'dx'],
          { ...g, lanes },
          inputGradientCode(width),
          epilogue,
          traits,
        ),
      ],
    };
  },
};

/** One lane sums a share of all pixels for up to four weights; the shares are added up in order afterwards. */
export const weightGradient: Variant<ConvGeometry> = {
  name: 'direct',
  unfit: () => undefined,
  rank: () => 100,
  build(problem, traits): Kernel {
    const { attributes: g } = problem;
    const width = channelWidth(g.o / g.groups);
    const elements = (g.kh * g.kw * g.c * g.o) / g.groups;
    const perSplit = elements / width;
    const rows = g.n * g.oh;
    // The shares' partial sums must fit a binding: this variant is what is left where others' do not.
    const most = Math.floor(traits.maxBindingBytes / (4 * elements));
    const splits = Math.max(
      1,
      Math.min(rows, Math.ceil(16384 / perSplit), Math.ceil((rows * g.ow) / 128), most),
    );
    const dims = {
      ...g,
      lanes: perSplit * splits,
      perSplit,
      elements,
      rows,
      share: Math.ceil(rows / splits),
    };
    return splitSum({ splits, elements, traits }, ({ target }) => [
      step(problem, ['x', 'dy', 'dw'], target, dims, weightGradientCode(width), traits),
    ]);
  },
};

function forwardCode(width: number): string {
  return `
  let perGroup = dims.c / dims.groups;
  let columns = dims.o / ${width}u;
  let channel = (id % columns) * ${width}u;
  let pixel = id / columns;
  let ox = pixel % dims.ow;
  let oy = (pixel / dims.ow) % dims.oh;
  let n = pixel / (dims.ow * dims.oh);
  let first = (channel / (dims.o / dims.groups)) * perGroup;
  var total: array<f32, ${width}>;
  for (var ky = 0u; ky < dims.kh; ky++) {
    let iy = i32(oy * dims.strideY + ky * dims.dilationY) - i32(dims.padTop);
    if (iy < 0 || iy >= i32(dims.h)) { continue; }
    for (var kx = 0u; kx < dims.kw; kx++) {
      let ix = i32(ox * dims.strideX + kx * dims.dilationX) - i32(dims.padLeft);
      if (ix < 0 || ix >= i32(dims.w)) { continue; }
      let source = ((n * dims.h + u32(iy)) * dims.w + u32(ix)) * dims.c + first;
      let weight = (ky * dims.kw + kx) * perGroup * dims.o + channel;
      for (var c = 0u; c < perGroup; c++) {
        let v = f32(x[source + c]);
        ${lines(width, (j) => `total[${j}] += v * f32(w[weight + c * dims.o + ${j}u]);`)}
      }
    }
  }
  ${lines(width, (j) => finished('y', 'dims.o', j))}`;
}

function inputGradientCode(width: number): string {
  return `
  let perGroup = dims.c / dims.groups;
  let outputs = dims.o / dims.groups;
  let columns = dims.c / ${width}u;
  let channel = (id % columns) * ${width}u;
  let pixel = id / columns;
  let ix = pixel % dims.w;
  let iy = (pixel / dims.w) % dims.h;
  let n = pixel / (dims.w * dims.h);
  let group = channel / perGroup;
  let inner = channel % perGroup;
  var total: array<f32, ${width}>;
  for (var ky = 0u; ky < dims.kh; ky++) {
    let ty = i32(iy + dims.padTop) - i32(ky * dims.dilationY);
    if (ty < 0 || u32(ty) % dims.strideY != 0u || u32(ty) / dims.strideY >= dims.oh) { continue; }
    for (var kx = 0u; kx < dims.kw; kx++) {
      let tx = i32(ix + dims.padLeft) - i32(kx * dims.dilationX);
      if (tx < 0 || u32(tx) % dims.strideX != 0u || u32(tx) / dims.strideX >= dims.ow) { continue; }
      let oy = u32(ty) / dims.strideY;
      let ox = u32(tx) / dims.strideX;
      let source = ((n * dims.oh + oy) * dims.ow + ox) * dims.o + group * outputs;
      let weight = ((ky * dims.kw + kx) * perGroup + inner) * dims.o + group * outputs;
      for (var o = 0u; o < outputs; o++) {
        let v = f32(dy[source + o]);
        ${lines(width, (j) => `total[${j}] += v * f32(w[weight + ${j}u * dims.o + o]);`)}
      }
    }
  }
  ${lines(width, (j) => finished('dx', 'dims.c', j))}`;
}

function weightGradientCode(width: number): string {
  return `
  let perGroup = dims.c / dims.groups;
  let columns = dims.o / ${width}u;
  let split = id / dims.perSplit;
  let channel = (id % columns) * ${width}u;
  let row = (id % dims.perSplit) / columns;
  let c = row % perGroup;
  let kx = (row / perGroup) % dims.kw;
  let ky = row / (perGroup * dims.kw);
  let source = (channel / (dims.o / dims.groups)) * perGroup + c;
  var total: array<f32, ${width}>;
  for (var r = split * dims.share; r < min((split + 1u) * dims.share, dims.rows); r++) {
    let iy = i32((r % dims.oh) * dims.strideY + ky * dims.dilationY) - i32(dims.padTop);
    if (iy < 0 || iy >= i32(dims.h)) { continue; }
    let line = ((r / dims.oh) * dims.h + u32(iy)) * dims.w;
    for (var ox = 0u; ox < dims.ow; ox++) {
      let ix = i32(ox * dims.strideX + kx * dims.dilationX) - i32(dims.padLeft);
      if (ix < 0 || ix >= i32(dims.w)) { continue; }
      let v = f32(x[(line + u32(ix)) * dims.c + source]);
      let gradient = (r * dims.ow + ox) * dims.o + channel;
      ${lines(width, (j) => `total[${j}] += v * f32(dy[gradient + ${j}u]);`)}
    }
  }
  ${lines(width, (j) => `dw[split * dims.elements + row * dims.o + channel + ${j}u] = Stored(total[${j}]);`)}`;
}

/** Stores the `j`-th of a lane's sums through the epilogue. */
function finished(result: string, channels: string, j: number): string {
  const index = `pixel * ${channels} + channel + ${j}u`;
  return `${result}[${index}] = Stored(finish(total[${j}], ${index}, columnOperands(channel + ${j}u)));`;
}

function finishingStep(
  problem: Problem<ConvGeometry>,
  names: readonly [string, string, string],
  dims: Readonly<Record<string, number>> & { lanes: number },
  body: string,
  epilogue: Epilogue,
  traits: DeviceTraits,
): KernelStep {
  return step(problem, names, { kind: 'output', index: 0 }, dims, body, traits, epilogue.emit(false));
}

/** `body` once for each `id` below `dims.lanes`, over two inputs and a result named as given. */
function step(
  { inputs, outputs }: Problem<ConvGeometry>,
  [a, b, result]: readonly [string, string, string],
  target: Operand,
  dims: Readonly<Record<string, number>> & { lanes: number },
  body: string,
  { maxWorkgroups }: DeviceTraits,
  { declarations, bindings }: ReturnType<Epilogue['emit']> = { declarations: '', bindings: [] },
): KernelStep {
  // Partial sums are of a weight gradient, which is f32 in any case.
  const type = storageTypeOf(outputs, 0, 1);
  const groups = Math.ceil(dims.lanes / 64);
  const gridX = Math.min(groups, maxWorkgroups);
  return {
    kind: 'dispatch',
    bindings: [
      { name: a, operand: { kind: 'input', index: 0 }, access: 'read', type: storageTypeOf(inputs, 0, 1) },
      { name: b, operand: { kind: 'input', index: 1 }, access: 'read', type: storageTypeOf(inputs, 1, 1) },
      ...bindings,
      { name: result, operand: target, access: 'read_write', type },
    ],
    workgroups: [gridX, Math.ceil(groups / gridX), 1],
    dims: { ...dims, gridX },
    code: `${declarations}alias Stored = ${type};
@compute @workgroup_size(64) fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) lane: u32) {
  let id = (workgroup.y * dims.gridX + workgroup.x) * 64u + lane;
  if (id >= dims.lanes) { return; }${body}
}`,
  };
}

function channelWidth(channels: number): number {
  return channels % 4 === 0 ? 4 : channels % 2 === 0 ? 2 : 1;
}

function lines(count: number, line: (j: number) => string): string {
  return Array.from({ length: count }, (_, j) => line(j)).join(' ');
}

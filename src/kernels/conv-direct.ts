import { byteLength, type DeviceTraits, type Kernel, type Problem, type Variant } from '../engine/tensor.js';
import type { ConvGeometry } from './conv-geometry.js';
import { flatGrid } from './grid.js';
import { splitSum } from './split-sum.js';

/**
 * The plain convolution kernels: one lane computes one pixel and up to four channels, straight from the definition.
 * They run every geometry (groups, odd sizes) on every device; the other variants only have to be faster.
 */
export const forward: Variant<ConvGeometry> = {
  name: 'direct',
  unfit: () => undefined,
  rank: () => 100,
  build: ({ attributes: g }, traits) => {
    const perGroup = g.c / g.groups;
    const width = channelWidth(g.o / g.groups);
    return single(
      traits,
      g.n * g.oh * g.ow * (g.o / width),
      ['x', 'w'],
      'y',
      (id) => `
  let channel = (${id} % ${g.o / width}u) * ${width}u;
  let pixel = ${id} / ${g.o / width}u;
  let ox = pixel % ${g.ow}u;
  let oy = (pixel / ${g.ow}u) % ${g.oh}u;
  let n = pixel / ${g.ow * g.oh}u;
  let first = (channel / ${g.o / g.groups}u) * ${perGroup}u;
  var total: array<f32, ${width}>;
  for (var ky = 0u; ky < ${g.kh}u; ky++) {
    let iy = i32(oy * ${g.strideY}u + ky * ${g.dilationY}u) - ${g.padTop};
    if (iy < 0 || iy >= ${g.h}) { continue; }
    for (var kx = 0u; kx < ${g.kw}u; kx++) {
      let ix = i32(ox * ${g.strideX}u + kx * ${g.dilationX}u) - ${g.padLeft};
      if (ix < 0 || ix >= ${g.w}) { continue; }
      let source = ((n * ${g.h}u + u32(iy)) * ${g.w}u + u32(ix)) * ${g.c}u + first;
      let weight = (ky * ${g.kw}u + kx) * ${perGroup * g.o}u + channel;
      for (var c = 0u; c < ${perGroup}u; c++) {
        let v = x[source + c];
        ${lines(width, (j) => `total[${j}] += v * w[weight + c * ${g.o}u + ${j}u];`)}
      }
    }
  }
  ${lines(width, (j) => `y[pixel * ${g.o}u + channel + ${j}u] = total[${j}];`)}`,
    );
  },
};

export const inputGradient: Variant<ConvGeometry> = {
  name: 'direct',
  unfit: () => undefined,
  rank: () => 100,
  build: ({ attributes: g }, traits) => {
    const perGroup = g.c / g.groups;
    const outputs = g.o / g.groups;
    const width = channelWidth(perGroup);
    return single(
      traits,
      g.n * g.h * g.w * (g.c / width),
      ['dy', 'w'],
      'dx',
      (id) => `
  let channel = (${id} % ${g.c / width}u) * ${width}u;
  let pixel = ${id} / ${g.c / width}u;
  let ix = pixel % ${g.w}u;
  let iy = (pixel / ${g.w}u) % ${g.h}u;
  let n = pixel / ${g.w * g.h}u;
  let group = channel / ${perGroup}u;
  let inner = channel % ${perGroup}u;
  var total: array<f32, ${width}>;
  for (var ky = 0u; ky < ${g.kh}u; ky++) {
    let ty = i32(iy) + ${g.padTop} - i32(ky * ${g.dilationY}u);
    if (ty < 0 || ty % ${g.strideY} != 0 || ty / ${g.strideY} >= ${g.oh}) { continue; }
    for (var kx = 0u; kx < ${g.kw}u; kx++) {
      let tx = i32(ix) + ${g.padLeft} - i32(kx * ${g.dilationX}u);
      if (tx < 0 || tx % ${g.strideX} != 0 || tx / ${g.strideX} >= ${g.ow}) { continue; }
      let oy = u32(ty / ${g.strideY});
      let ox = u32(tx / ${g.strideX});
      let source = ((n * ${g.oh}u + oy) * ${g.ow}u + ox) * ${g.o}u + group * ${outputs}u;
      let weight = ((ky * ${g.kw}u + kx) * ${perGroup}u + inner) * ${g.o}u + group * ${outputs}u;
      for (var o = 0u; o < ${outputs}u; o++) {
        let v = dy[source + o];
        ${lines(width, (j) => `total[${j}] += v * w[weight + ${j * g.o}u + o];`)}
      }
    }
  }
  ${lines(width, (j) => `dx[pixel * ${g.c}u + channel + ${j}u] = total[${j}];`)}`,
    );
  },
};

/** One lane sums a share of all pixels for up to four weights; the shares are added up in order afterwards. */
export const weightGradient: Variant<ConvGeometry> = {
  name: 'direct',
  unfit: () => undefined,
  rank: () => 100,
  build: (problem: Problem<ConvGeometry>, traits): Kernel => {
    const { attributes: g, outputs } = problem;
    const perGroup = g.c / g.groups;
    const width = channelWidth(g.o / g.groups);
    const lanes = (g.kh * g.kw * perGroup * g.o) / width;
    const rows = g.n * g.oh;
    const splits = Math.max(1, Math.min(rows, Math.ceil(16384 / lanes), Math.ceil((rows * g.ow) / 128)));
    const share = Math.ceil(rows / splits);
    const elements = byteLength(outputs[0] ?? { shape: [], dtype: 'f32' }) / 4;
    const body = `
  let split = id / ${lanes}u;
  let channel = (id % ${g.o / width}u) * ${width}u;
  let row = (id % ${lanes}u) / ${g.o / width}u;
  let c = row % ${perGroup}u;
  let kx = (row / ${perGroup}u) % ${g.kw}u;
  let ky = row / ${perGroup * g.kw}u;
  let source = (channel / ${g.o / g.groups}u) * ${perGroup}u + c;
  var total: array<f32, ${width}>;
  for (var r = split * ${share}u; r < min((split + 1u) * ${share}u, ${rows}u); r++) {
    let iy = i32((r % ${g.oh}u) * ${g.strideY}u + ky * ${g.dilationY}u) - ${g.padTop};
    if (iy < 0 || iy >= ${g.h}) { continue; }
    let line = ((r / ${g.oh}u) * ${g.h}u + u32(iy)) * ${g.w}u;
    for (var ox = 0u; ox < ${g.ow}u; ox++) {
      let ix = i32(ox * ${g.strideX}u + kx * ${g.dilationX}u) - ${g.padLeft};
      if (ix < 0 || ix >= ${g.w}) { continue; }
      let v = x[(line + u32(ix)) * ${g.c}u + source];
      let gradient = (r * ${g.ow}u + ox) * ${g.o}u + channel;
      ${lines(width, (j) => `total[${j}] += v * dy[gradient + ${j}u];`)}
    }
  }
  ${lines(width, (j) => `dw[split * ${elements}u + row * ${g.o}u + channel + ${j}u] = total[${j}];`)}`;
    return splitSum({ splits, elements, traits }, (target) => ({
      kind: 'dispatch',
      bindings: [
        { name: 'x', operand: { kind: 'input', index: 0 }, access: 'read', type: 'f32' },
        { name: 'dy', operand: { kind: 'input', index: 1 }, access: 'read', type: 'f32' },
        { name: 'dw', operand: target, access: 'read_write', type: 'f32' },
      ],
      ...guarded(traits, lanes * splits, body),
    }));
  },
};

function single(
  traits: DeviceTraits,
  lanes: number,
  inputs: readonly [string, string],
  output: string,
  body: (id: string) => string,
): Kernel {
  return {
    scratch: [],
    steps: [
      {
        kind: 'dispatch',
        bindings: [
          ...inputs.map((name, index) => ({
            name,
            operand: { kind: 'input', index } as const,
            access: 'read' as const,
            type: 'f32',
          })),
          { name: output, operand: { kind: 'output', index: 0 }, access: 'read_write', type: 'f32' },
        ],
        ...guarded(traits, lanes, body('id')),
      },
    ],
  };
}

/** `body` once for each `id` below `lanes`. */
function guarded(
  traits: DeviceTraits,
  lanes: number,
  body: string,
): { code: string; workgroups: [number, number, number] } {
  const grid = flatGrid(lanes, 64, traits);
  return {
    workgroups: grid.workgroups,
    code: `${grid.code}
@compute @workgroup_size(64) fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) lane: u32) {
  let id = flatIndex(workgroup, lane);
  if (id >= ${lanes}u) { return; }${body}
}`,
  };
}

function channelWidth(channels: number): number {
  return channels % 4 === 0 ? 4 : channels % 2 === 0 ? 2 : 1;
}

function lines(count: number, line: (j: number) => string): string {
  return Array.from({ length: count }, (_, j) => line(j)).join(' ');
}

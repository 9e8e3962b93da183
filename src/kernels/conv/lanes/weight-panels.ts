import type { DeviceTraits, KernelStep, Operand } from '../../../engine/graph/tensor.js';
import { flatStep } from '../../common/grid.js';
import { type StorageType, storageType } from '../../common/storage-type.js';
import type { Stored } from '../../common/texture-operand.js';
import type { Gather } from '../conv-gather.js';

/**
 * Convolution weights written in panels (see panels.ts), where a copy is not enough: for some taps only, transposed,
 * or with channels that do not fill texels.
 * @param taps of the kernel, in the order in which the image is walked
 */
export function packWeights(
  gather: Gather,
  taps: readonly number[],
  { rowTexels, stored }: { readonly rowTexels: number; readonly stored: Stored },
  source: Operand,
  target: Operand,
  traits: DeviceTraits,
): KernelStep {
  const { groups, transposed, channels: to } = gather;
  const from = gather.image.c / groups;
  const depth = Math.ceil(from / 4) * 4;
  const rows = taps.length * depth;
  const packing = { from, to, groups, depth, rows, rowTexels, panels: Math.ceil(to / 4 / rowTexels) };
  const inFours = transposed && from % 4 === 0 && (to / groups) % 4 === 0;
  const texel = storageType(stored, 4);
  const one = storageType(stored, 1);
  return flatStep(
    {
      bindings: [
        { name: 'weights', operand: source, access: 'read', type: inFours ? texel : one },
        { name: 'packed', operand: target, access: 'read_write', type: texel },
      ],
      declarations: `const taps = array<u32, ${taps.length}>(${taps.map((tap) => `${tap}u`).join(', ')});\n`,
      ...(inFours ? transposeFours(packing, texel) : packTexel(packing, { texel, one, transposed })),
    },
    traits,
  );
}

interface Packing {
  /** Input channels of a group, and output channels of all of them. */
  readonly from: number;
  readonly to: number;
  readonly groups: number;
  /** `from`, rounded up to texels. */
  readonly depth: number;
  /** Of a panel: `depth` for each tap. */
  readonly rows: number;
  readonly rowTexels: number;
  readonly panels: number;
}

interface PackingCode {
  readonly count: number;
  readonly body: string;
}

/** One texel at a time, of any number of channels. */
function packTexel(
  { from, to, groups, depth, rows, rowTexels, panels }: Packing,
  {
    texel,
    one,
    transposed,
  }: { readonly texel: StorageType; readonly one: StorageType; readonly transposed: boolean },
): PackingCode {
  const channel = (j: number) => `column * 4u + ${j}u`;
  const within = (j: number) => (groups > 1 ? `(${channel(j)}) % ${to / groups}u` : channel(j));
  const groupOf = (j: number) => (groups > 1 ? `(${channel(j)}) / ${to / groups}u` : '0u');
  const element = (j: number) =>
    transposed
      ? `weights[(taps[tap] * ${to / groups}u + ${within(j)}) * ${from * groups}u + ${groupOf(j)} * ${from}u + k]`
      : `weights[(taps[tap] * ${from}u + k) * ${to}u + ${channel(j)}]`;
  const guarded = (j: number) =>
    to % 4 === 0 ? element(j) : `select(${one}(), ${element(j)}, ${channel(j)} < ${to}u)`;
  return {
    count: panels * rows * rowTexels,
    body: `let column = id / ${rows * rowTexels}u * ${rowTexels}u + id % ${rowTexels}u;
  let row = id / ${rowTexels}u % ${rows}u;
  let k = row % ${depth}u;
  let tap = row / ${depth}u;
  var texel = ${texel}();
  if (k < ${from}u && column * 4u < ${to}u) { texel = ${texel}(${[0, 1, 2, 3].map(guarded).join(', ')}); }
  packed[id] = texel;`,
  };
}

/** Four by four weights at a time, of channels that fill texels. */
function transposeFours(
  { from, to, groups, rows, rowTexels, panels }: Packing,
  texel: StorageType,
): PackingCode {
  const four = [0, 1, 2, 3];
  const columns = to / groups / 4;
  const pitch = (from * groups) / 4;
  return {
    count: (panels * rows * rowTexels) / 4,
    // The last panel may be ragged: what lies beyond its columns is never used.
    body: `let aside = id % ${rowTexels}u;
  let row = id / ${rowTexels}u % ${rows / 4}u;
  let panel = id / ${(rows / 4) * rowTexels}u;
  let column = min(panel * ${rowTexels}u + aside, ${to / 4 - 1}u);
  let k = row % ${from / 4}u;
  let tap = row / ${from / 4}u;
  let at = (taps[tap] * ${columns}u + column % ${columns}u) * ${4 * pitch}u + column / ${columns}u * ${from / 4}u + k;
${four.map((j) => `  let t${j} = weights[at + ${j * pitch}u];`).join('\n')}
  let to = (panel * ${rows}u + row * 4u) * ${rowTexels}u + aside;
${four.map((q) => `  packed[to + ${q * rowTexels}u] = ${texel}(t0[${q}], t1[${q}], t2[${q}], t3[${q}]);`).join('\n')}`,
  };
}

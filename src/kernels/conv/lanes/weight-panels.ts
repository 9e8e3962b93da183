import type { DeviceTraits, KernelStep, Operand } from '../../../engine/graph/tensor.js';
import { flatStep } from '../../common/grid.js';
import { storageType } from '../../common/storage-type.js';
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
  const { groups } = gather;
  const texel = storageType(stored, 4);
  const one = storageType(stored, 1);
  const from = gather.image.c / groups;
  const to = gather.channels;
  const depth = Math.ceil(from / 4) * 4;
  const rows = taps.length * depth;
  const panels = Math.ceil(to / 4 / rowTexels);
  const channel = (j: number) => `column * 4u + ${j}u`;
  const within = (j: number) => (groups > 1 ? `(${channel(j)}) % ${to / groups}u` : channel(j));
  const groupOf = (j: number) => (groups > 1 ? `(${channel(j)}) / ${to / groups}u` : '0u');
  const element = (j: number) =>
    gather.transposed
      ? `weights[(taps[tap] * ${to / groups}u + ${within(j)}) * ${from * groups}u + ${groupOf(j)} * ${from}u + k]`
      : `weights[(taps[tap] * ${from}u + k) * ${to}u + ${channel(j)}]`;
  const guarded = (j: number) =>
    to % 4 === 0 ? element(j) : `select(${one}(), ${element(j)}, ${channel(j)} < ${to}u)`;
  return flatStep(
    {
      count: panels * rows * rowTexels,
      bindings: [
        { name: 'weights', operand: source, access: 'read', type: one },
        { name: 'packed', operand: target, access: 'read_write', type: texel },
      ],
      declarations: `const taps = array<u32, ${taps.length}>(${taps.map((tap) => `${tap}u`).join(', ')});\n`,
      body: `let column = id / ${rows * rowTexels}u * ${rowTexels}u + id % ${rowTexels}u;
  let row = id / ${rowTexels}u % ${rows}u;
  let k = row % ${depth}u;
  let tap = row / ${depth}u;
  var texel = ${texel}();
  if (k < ${from}u && column * 4u < ${to}u) { texel = ${texel}(${[0, 1, 2, 3].map(guarded).join(', ')}); }
  packed[id] = texel;`,
    },
    traits,
  );
}

import type { DeviceTraits, KernelStep, Operand, Scratch } from '../../../engine/graph/tensor.js';
import { formatOf, rowTexelsOf, type Stored, texelBytes } from '../../common/texture-operand.js';
import type { Gather, TapAxis } from '../conv-gather.js';
import { laneStyle, panelColumns } from './lane-group.js';
import { copiedTexture, matrixInBuffer, matrixInTexture, type PanelMatrix, panelLayout } from './panels.js';
import { packWeights } from './weight-panels.js';

/**
 * The weights of a gather (conv-gather.ts) where the kernels of conv-lanes.ts want them. A forward convolution reads texels
 * of four outputs, as they lie. An input gradient, whose outputs are the rows of the same matrix, has it written out
 * transposed, unless it has so few pixels that this would take longer than it saves: then it reads texels of four inputs,
 * from lines of memory that lie far apart, and transposes them in its registers.
 */
export interface GatherWeights extends PanelMatrix {
  /** Whether the four values of a texel belong to four output or four input channels. */
  readonly texelsOf: 'outputs' | 'inputs';
  /** Further sizes for the kernel. */
  readonly dims: Readonly<Record<string, number>>;
}

interface Staging {
  readonly gather: Gather;
  readonly stored: Stored;
  readonly traits: DeviceTraits;
  readonly addScratch: (need: Scratch) => number;
  readonly steps: KernelStep[];
}

const SOURCE: Operand = { kind: 'input', index: 1 };

/** Whether the weights fit where they are wanted. */
export function weightsFit(gather: Gather, stored: Stored, traits: DeviceTraits): boolean {
  if (readAsTheyLie(gather, traits)) return true;
  if (liesByInputs(gather, traits)) return copiedTexture(inputShape(gather, stored), traits) !== undefined;
  const taps = Math.max(...gather.passes.map(({ y, x }) => y.taps.length * x.taps.length));
  const shape = outputShape(gather, taps, stored, traits);
  return (liesByOutputs(gather) ? copiedTexture(shape, traits) : panelLayout(shape, traits)) !== undefined;
}

/** Adds the steps that bring the weights in place. @returns the weights of each pass */
export function stageWeights(staging: Staging): (y: TapAxis, x: TapAxis) => GatherWeights {
  const { gather, stored, traits, addScratch, steps } = staging;
  if (liesByInputs(gather, traits)) {
    const shape = inputShape(gather, stored);
    const panels = readAsTheyLie(gather, traits)
      ? matrixInBuffer({ ...shape, operand: SOURCE })
      : matrixInTexture(shape, SOURCE, traits, addScratch, steps);
    return (y, x) => ({ ...panels, texelsOf: 'inputs', dims: inputDims(gather, panels, y, x) });
  }
  return (y, x) => ({
    ...stageOutputs(staging, y, x),
    texelsOf: 'outputs',
    dims: {},
  });
}

/** Few rows read each weight once: a copy would only add to that. Some drivers read buffers as fast anyway. */
function readAsTheyLie(gather: Gather, traits: DeviceTraits): boolean {
  const { columnsIn, rows } = laneStyle(traits);
  const lie = liesByInputs(gather, traits) || liesByOutputs(gather);
  return lie && (columnsIn === 'buffer' || mostPixels(gather) <= rows);
}

function liesByInputs(gather: Gather, traits: DeviceTraits): boolean {
  if (laneStyle(traits).columnsIn === 'texture' && mostPixels(gather) > MOST_UNPACKED) return false;
  return gather.transposed && inFours(gather);
}

function liesByOutputs(gather: Gather): boolean {
  return !gather.transposed && inFours(gather);
}

function inFours({ groups, image, channels }: Gather): boolean {
  return (image.c / groups) % 4 === 0 && (channels / groups) % 4 === 0;
}

/** Of a pass. */
function mostPixels({ image, passes }: Gather): number {
  return Math.max(...passes.map(({ y, x }) => image.n * y.count * x.count));
}

/** Pixels of a pass up to which it does not pay to write its weights out transposed. */
const MOST_UNPACKED = 128;

/** [tap, output channel] × [input channel]: lanes walk along the rows, and panels are as wide as a row of the texture. */
function inputShape({ channels, groups, image, kh, kw }: Gather, stored: Stored) {
  return {
    rows: (kh * kw * channels) / groups,
    columns: image.c / 4,
    panel: rowTexelsOf(stored),
    stored,
  };
}

/** Where the first tap lies and each step along the image's columns and rows, and how a row goes on in the next panel. */
function inputDims(
  { channels, groups, image, kw }: Gather,
  { rowTexels }: PanelMatrix,
  y: TapAxis,
  x: TapAxis,
): Readonly<Record<string, number>> {
  const texels = (channels / groups) * rowTexels;
  const step = ([first = 0, second = first]: readonly number[]) => (second - first) * texels;
  const whole = rowTexels === image.c / 4;
  return {
    columnsOfGroup: channels / groups / 4,
    tapTexel: ((y.taps[0] ?? 0) * kw + (x.taps[0] ?? 0)) * texels,
    tapTexelsX: step(x.taps),
    tapTexelsY: step(y.taps) * kw,
    panelShift: whole ? 31 : Math.log2(rowTexels),
    panelMask: whole ? 2 ** 31 - 1 : rowTexels - 1,
  };
}

/** [tap, input channel, rounded up to texels] × [output channel]. */
function outputShape(gather: Gather, taps: number, stored: Stored, traits: DeviceTraits) {
  const { channels, groups, image } = gather;
  const columns = Math.ceil(channels / 4);
  const depth = Math.ceil(image.c / groups / 4) * 4;
  const panel = panelColumns(columns / groups, traits);
  return { rows: Math.max(1, taps) * depth, columns, panel, stored };
}

function stageOutputs(
  { gather, stored, traits, addScratch, steps }: Staging,
  y: TapAxis,
  x: TapAxis,
): PanelMatrix {
  const taps = y.taps.flatMap((ky) => x.taps.map((kx) => ky * gather.kw + kx));
  const shape = outputShape(gather, taps.length, stored, traits);
  if (readAsTheyLie(gather, traits)) return matrixInBuffer({ ...shape, operand: SOURCE });
  if (liesByOutputs(gather)) return matrixInTexture(shape, SOURCE, traits, addScratch, steps);
  const layout = panelLayout(shape, traits);
  if (!layout) throw new RangeError('conv lanes: weights do not fit a texture');
  const { fold } = layout;
  const bytes = fold.width * fold.height * texelBytes(stored);
  const packed: Operand = { kind: 'scratch', index: addScratch({ kind: 'buffer', bytes }) };
  if (taps.length > 0) steps.push(packWeights(gather, taps, { ...layout, stored }, SOURCE, packed, traits));
  if (laneStyle(traits).columnsIn === 'buffer')
    return { ...layout, lieIn: 'buffer', stored, operand: packed };
  const format = formatOf(stored);
  const texture = addScratch({ kind: 'texture', width: fold.width, height: fold.height, format });
  if (taps.length > 0) steps.push({ kind: 'texture-copy', from: packed, to: texture });
  return { ...layout, lieIn: 'texture', stored, operand: { kind: 'scratch', index: texture } };
}

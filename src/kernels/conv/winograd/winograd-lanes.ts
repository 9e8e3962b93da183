import {
  at,
  type DeviceTraits,
  type Kernel,
  type KernelStep,
  type Operand,
  type Problem,
  type Scratch,
} from '../../../engine/graph/tensor.js';
import { type Epilogue, NO_EPILOGUE } from '../../common/epilogue.js';
import {
  ALIAS_BYTES,
  imageTexture,
  linearTexture,
  rowTexelsOf,
  type Stored,
  stageImage,
  texelBytes,
} from '../../common/texture-operand.js';
import type { Gather } from '../conv-gather.js';
import { columnsBinding, gatherCode, textureBinding } from '../lanes/conv-lanes-code.js';
import { laneGroup, laneStyle, panelColumns } from '../lanes/lane-group.js';
import type { PanelMatrix } from '../lanes/panels.js';
import {
  inputStep,
  outputStep,
  type PlaceLayout,
  type Slice,
  type WeightLayout,
  weightStep,
  weightTexels,
} from './transform-steps.js';
import { placesOf, tilingOf, type WinogradForm } from './transforms.js';

/**
 * Winograd for software adapters: the transforms as steps, and between them the products by the kernel of conv-lanes.ts, one
 * of its groups a place. Transformed inputs lie in a texture, place below place.
 *
 * Tiles are taken slice by slice, so that transformed inputs and products need little memory, whatever the batch.
 */

/** Bytes of the transformed inputs of a slice at most, and of its products. From 1 to 16 MiB no size is faster. */
const SLICE_BYTES = 2 ** 22;

const F32 = { dtype: 'f32' } as const;
const TEXEL = texelBytes(F32);

/** Why a device or a size is beyond these kernels. */
export function unfitForLanes(
  form: WinogradForm,
  gather: Gather,
  image: Stored,
  traits: DeviceTraits,
): string | undefined {
  if (traits.subgroupSize < 4) return 'needs subgroups of a fixed size of at least 4';
  const texels = weightTexels(form, weightLayout(gather, traits));
  if (texels * TEXEL > traits.maxBindingBytes || !linearTexture(texels, F32, traits))
    return 'the transformed weights are too large';
  return imageTexture(gather.image, image, traits) ? undefined : 'the image does not fit a texture';
}

export function buildOnLanes(
  form: WinogradForm,
  gather: Gather,
  { inputs, outputs }: Pick<Problem, 'inputs' | 'outputs'>,
  epilogue: Epilogue,
  traits: DeviceTraits,
): Kernel {
  const scratch: Scratch[] = [];
  const steps: KernelStep[] = [];
  const addScratch = (need: Scratch): number => scratch.push(need) - 1;
  const addBuffer = (texels: number): Operand => ({
    kind: 'scratch',
    index: addScratch({ kind: 'buffer', bytes: texels * TEXEL }),
  });
  const [stored, result] = [at(inputs, 0), at(outputs, 0)];
  const staged = stageImage(gather.image, stored, { kind: 'input', index: 0 }, traits, addScratch, steps);

  const weights = weightLayout(gather, traits);
  const fold = linearTexture(weightTexels(form, weights), F32, traits);
  if (!fold) throw new RangeError('winograd: the weights do not fit a texture');
  const packed = addBuffer(fold.width * fold.height);
  steps.push(weightStep(form, gather, at(inputs, 1), weights, packed, traits));
  const matrix = { stored: F32, fold, rowTexels: weights.panel, panelTexels: weights.depth * weights.panel };
  let columns: PanelMatrix = { ...matrix, operand: packed, lieIn: 'buffer' };
  if (laneStyle(traits).columnsIn === 'texture') {
    const index = addScratch({ kind: 'texture', ...fold });
    steps.push({ kind: 'texture-copy', from: packed, to: index });
    columns = { ...matrix, operand: { kind: 'scratch', index }, lieIn: 'texture' };
  }

  const tiling = tilingOf(gather, form);
  const count = tilesOfSlice(form, gather);
  const { rows, ...layout } = inputLayout(form, staged.texels, count, traits);
  const size = { width: layout.rowTexels, height: placesOf(form) * rows };
  const texture = addScratch({ kind: 'texture', ...size });
  const transformed = addBuffer(size.width * size.height);
  const placeTexels = weights.panels * weights.panel;
  const ofProducts = { placeTexels, side: 1, rowTexels: placesOf(form) * placeTexels, tileTexels: 0 };
  const products = addBuffer(count * ofProducts.rowTexels);
  for (let first = 0; first < tiling.tiles; first += count) {
    const slice = { first, count: Math.min(count, tiling.tiles - first) };
    steps.push(
      inputStep(form, tiling, { staged, stored }, layout, slice, transformed, traits),
      { kind: 'texture-copy', from: transformed, to: texture },
      productStep({
        form,
        gather,
        slice,
        texels: staged.texels,
        layout,
        rows,
        texture,
        columns,
        weights,
        products,
        traits,
      }),
      outputStep(form, gather, tiling, products, ofProducts, slice, { result, epilogue }, traits),
    );
  }
  return { scratch, steps };
}

function tilesOfSlice(form: WinogradForm, gather: Gather): number {
  const { tiles } = tilingOf(gather, form);
  const most = Math.floor(SLICE_BYTES / (placesOf(form) * 4 * Math.max(gather.image.c, gather.channels)));
  const slices = Math.ceil(tiles / Math.max(1, most));
  return Math.ceil(tiles / slices);
}

function weightLayout({ image, channels }: Gather, traits: DeviceTraits): WeightLayout {
  const columns = Math.ceil(channels / 4);
  const panel = panelColumns(columns, traits);
  return { depth: Math.ceil(image.c / 4) * 4, panels: Math.ceil(columns / panel), panel };
}

/** As many tiles side by side as the height of a texture asks for. */
function inputLayout(
  form: WinogradForm,
  texels: number,
  tiles: number,
  { maxTextureSide }: DeviceTraits,
): PlaceLayout & { readonly rows: number } {
  const side = Math.ceil(tiles / Math.floor(maxTextureSide / placesOf(form)));
  const rows = Math.ceil(tiles / side);
  const row = rowTexelsOf(F32);
  const filled = Math.ceil((side * texels) / row) * row;
  const rowTexels = (filled * TEXEL) % ALIAS_BYTES === 0 ? filled + row : filled;
  return { placeTexels: rows * rowTexels, side, rowTexels, tileTexels: texels, rows };
}

/** The products of a slice: results are pixels of as many channels as all places have. */
function productStep(step: {
  readonly form: WinogradForm;
  readonly gather: Gather;
  readonly slice: Slice;
  /** Of an input pixel. */
  readonly texels: number;
  readonly layout: PlaceLayout;
  readonly rows: number;
  readonly texture: number;
  readonly columns: PanelMatrix;
  readonly weights: WeightLayout;
  readonly products: Operand;
  readonly traits: DeviceTraits;
}): KernelStep {
  const { form, gather, slice, texels, layout, rows, texture, columns, weights, products, traits } = step;
  const group = laneGroup(slice.count, Math.ceil(gather.channels / 4), placesOf(form), traits);
  const width = placesOf(form) * weights.panels * weights.panel;
  const finish = NO_EPILOGUE.emit(true);
  return {
    kind: 'dispatch',
    enables: ['subgroups'],
    bindings: [
      textureBinding('image', texture, F32),
      columnsBinding('weights', columns),
      { name: 'result', operand: products, access: 'read_write', type: 'vec4f' },
    ],
    workgroups: group.workgroups,
    dims: {
      rows: slice.count,
      columns: width,
      channels: width * 4,
      run: texels,
      groupTexels: 0,
      groupRows: rows,
      groupPanels: weights.panels,
      taps: 1,
      tapsX: 1,
      tapStepX: 0,
      tapStepY: 0,
      countX: layout.side,
      countY: rows,
      advanceX: texels,
      advanceY: 1,
      originX: 0,
      originY: 0,
      imageTexels: layout.rowTexels,
      imageRows: rows,
      firstX: 0,
      firstY: 0,
      stepX: 1,
      stepY: 1,
      outH: rows,
      outW: layout.side,
      rowTexels: columns.rowTexels,
      panelTexels: columns.panelTexels,
      foldMask: columns.fold.width - 1,
      foldShift: Math.log2(columns.fold.width),
    },
    code: `${finish.declarations}${gatherCode(group, {
      vector: true,
      type: 'vec4f',
      weights: { lieIn: columns.lieIn, texelsOf: 'outputs' },
    })}`,
  };
}

import type { Binding, DeviceTraits, KernelStep, Operand, TensorSpec } from '../../../engine/graph/tensor.js';
import type { Epilogue } from '../../common/epilogue.js';
import { storageType } from '../../common/storage-type.js';
import type { StagedImage, Stored } from '../../common/texture-operand.js';
import type { Gather } from '../conv-gather.js';
import { textureBinding } from '../lanes/conv-lanes-code.js';
import { placesOf, type Tiling, transformCode, type WinogradForm } from './transforms.js';

/** The transforms of weights, inputs and products (transforms.ts) as steps of a kernel: four channels a lane. */

/**
 * The transformed weights: [place][panel][depth][texels of a panel], of four result channels a texel. Depth and columns
 * are filled up with zeros.
 */
export interface WeightLayout {
  readonly depth: number;
  readonly panels: number;
  /** Texels of a panel's row. */
  readonly panel: number;
}

export function weightTexels(form: WinogradForm, { depth, panels, panel }: WeightLayout): number {
  return placesOf(form) * panels * depth * panel;
}

/**
 * The weights of a convolution; for an input gradient (`gather.transposed`) the transform of the kernel turned by half a
 * turn, with its channels exchanged.
 */
export function weightStep(
  form: WinogradForm,
  { image, channels, transposed }: Gather,
  stored: Stored,
  layout: WeightLayout,
  target: Operand,
  traits: DeviceTraits,
): KernelStep {
  const { depth, panels, panel } = layout;
  const vector = !transposed && channels % 4 === 0;
  const size = image.c * channels;
  const taps = [0, 1, 2].flatMap((i) =>
    [0, 1, 2].map((j) => `let g${i}_${j} = tap(${i * 3 + j}u, k, texel);`),
  );
  const element = 'dims.origin + number * dims.tapStep + k * dims.depthStep + column * dims.columnStep';
  const tap = vector
    ? `fn tap(number: u32, k: u32, texel: u32) -> vec4f {
  let exists = k < dims.depth && texel * 4u < dims.columns;
  return select(vec4f(), vec4f(weights[select(0u, (number * dims.tapStep + k * dims.depthStep) / 4u + texel, exists)]), exists);
}`
    : `fn element(number: u32, k: u32, column: u32) -> f32 {
  let exists = k < dims.depth && column < dims.columns;
  return select(0.0, f32(weights[select(0u, ${element}, exists)]), exists);
}
fn tap(number: u32, k: u32, texel: u32) -> vec4f {
  return vec4f(${[0, 1, 2, 3].map((j) => `element(number, k, texel * 4u + ${j}u)`).join(', ')});
}`;
  return flatDims(
    {
      lanes: depth * panels * panel,
      bindings: [
        {
          name: 'weights',
          operand: { kind: 'input', index: 1 },
          access: 'read',
          type: storageType(stored, vector ? 4 : 1),
        },
        { name: 'transformed', operand: target, access: 'read_write', type: 'vec4f' },
      ],
      dims: {
        depth: image.c,
        columns: channels,
        // the taps of a turned kernel come in reverse
        origin: transposed ? 8 * size : 0,
        tapStep: transposed ? -size : size,
        depthStep: transposed ? 1 : channels,
        columnStep: transposed ? image.c : 1,
        texels: panels * panel,
        panel,
        rows: depth,
        placeTexels: panels * depth * panel,
      },
      declarations: tap,
      body: `
  let texel = id % dims.texels;
  let k = id / dims.texels;
  ${taps.join('\n  ')}
  ${transformCode(form.ofWeights, 'g', 'u')}
  var to = ((texel / dims.panel) * dims.rows + k) * dims.panel + texel % dims.panel;
  ${places(form, (i, j) => `transformed[to] = u${i}_${j}; to += dims.placeTexels;`)}`,
    },
    traits,
  );
}

/** Where an element of a place, a tile and a texel lies: the sum of three products. */
export interface PlaceLayout {
  readonly placeTexels: number;
  /** Tiles lie side by side in rows of so many, of so many texels. */
  readonly side: number;
  readonly rowTexels: number;
  readonly tileTexels: number;
}

/** A run of tiles that are computed together. */
export interface Slice {
  readonly first: number;
  readonly count: number;
}

/** The transformed inputs of a slice, from an image in a texture. */
export function inputStep(
  form: WinogradForm,
  { across, down }: Tiling,
  image: { readonly staged: StagedImage; readonly stored: Stored },
  layout: PlaceLayout,
  { first, count }: Slice,
  target: Operand,
  traits: DeviceTraits,
): KernelStep {
  const { staged, stored } = image;
  const { outputs } = form;
  return flatDims(
    {
      lanes: count * staged.texels,
      bindings: [
        textureBinding('image', staged.texture, stored),
        { name: 'transformed', operand: target, access: 'read_write', type: 'vec4f' },
      ],
      dims: {
        first,
        across,
        down,
        texels: staged.texels,
        originX: staged.originX,
        originY: staged.originY,
        ...staged.dims,
        ...layout,
      },
      declarations: `fn load(x: u32, y: u32, firstRow: u32) -> vec4f {
  let inside = x < dims.imageTexels && y < dims.imageRows;
  return select(vec4f(), textureLoad(image, vec2u(x, firstRow + y)), inside);
}`,
      body: `
  let texel = id % dims.texels;
  let slot = id / dims.texels;
  let line = (dims.first + slot) / dims.across;
  let n = line / dims.down;
  let x = ((dims.first + slot) - line * dims.across) * ${outputs}u * dims.texels + dims.originX + texel;
  let y = (line - n * dims.down) * ${outputs}u + dims.originY;
  let firstRow = n * dims.imageRows;
  ${places(form, (i, j) => `let d${i}_${j} = load(x + ${j}u * dims.texels, y + ${i}u, firstRow);`)}
  ${transformCode(form.ofInputs, 'd', 'v')}
  let row = slot / dims.side;
  var to = row * dims.rowTexels + (slot - row * dims.side) * dims.tileTexels + texel;
  ${places(form, (i, j) => `transformed[to] = v${i}_${j}; to += dims.placeTexels;`)}`,
    },
    traits,
  );
}

/** The results of a slice, through an epilogue, from its products. */
export function outputStep(
  form: WinogradForm,
  { outH, outW, channels }: Gather,
  { across, down }: Tiling,
  products: Operand,
  layout: PlaceLayout,
  { first, count }: Slice,
  { result, epilogue }: { readonly result: TensorSpec; readonly epilogue: Epilogue },
  traits: DeviceTraits,
): KernelStep {
  const vector = channels % 4 === 0;
  const type = storageType(result, vector ? 4 : 1);
  const finish = epilogue.emit(vector);
  const { outputs } = form;
  const texels = Math.ceil(channels / 4);
  const own = Array.from({ length: outputs }, (_, i) => i);
  const parts = vector ? [''] : ['[0]', '[1]', '[2]', '[3]'];
  // in units of the epilogue: texels, or channels
  const width = vector ? texels : channels;
  const column = (q: number) => (vector ? 'texel' : `texel * 4u + ${q}u`);
  const store = (i: number, j: number) => `
  if (y + ${i}u < dims.outH && x + ${j}u < dims.outW) {
    ${parts
      .map((part, q) => {
        const guard = vector ? '' : `if (${column(q)} < dims.width) `;
        return `${guard}{ let at = ((n * dims.outH + y + ${i}u) * dims.outW + x + ${j}u) * dims.width + ${column(q)};
    result[at] = ${type}(finish(o${i}_${j}${part}, at, operands${q})); }`;
      })
      .join('\n    ')}
  }`;
  return flatDims(
    {
      lanes: count * texels,
      bindings: [
        { name: 'products', operand: products, access: 'read', type: 'vec4f' },
        ...finish.bindings,
        { name: 'result', operand: { kind: 'output', index: 0 }, access: 'read_write', type },
      ],
      dims: { first, across, down, texels, width, outH, outW, ...layout },
      declarations: finish.declarations,
      body: `
  let texel = id % dims.texels;
  let slot = id / dims.texels;
  let line = (dims.first + slot) / dims.across;
  let n = line / dims.down;
  let x = ((dims.first + slot) - line * dims.across) * ${outputs}u;
  let y = (line - n * dims.down) * ${outputs}u;
  let row = slot / dims.side;
  let begin = row * dims.rowTexels + (slot - row * dims.side) * dims.tileTexels + texel;
  ${places(form, (i, j) => `let p${i}_${j} = products[begin + ${i * form.inputs + j}u * dims.placeTexels];`)}
  ${transformCode(form.ofProducts, 'p', 'o')}
  ${parts.map((_, q) => `let operands${q} = columnOperands(${column(q)});`).join('\n  ')}
  ${own.flatMap((i) => own.map((j) => store(i, j))).join('')}`,
    },
    traits,
  );
}

function places({ inputs }: WinogradForm, line: (i: number, j: number) => string): string {
  const rows = Array.from({ length: inputs }, (_, i) => i);
  return rows.flatMap((i) => rows.map((j) => line(i, j))).join('\n  ');
}

/** A dispatch of lanes that do not cooperate, with all sizes in `dims`: one pipeline serves many layers. */
function flatDims(
  step: {
    readonly lanes: number;
    readonly bindings: readonly Binding[];
    readonly dims: Readonly<Record<string, number>>;
    readonly declarations: string;
    readonly body: string;
  },
  { maxWorkgroups }: DeviceTraits,
): KernelStep {
  const { lanes, bindings, dims, declarations, body } = step;
  const groups = Math.ceil(lanes / LANES);
  const gridX = Math.min(groups, maxWorkgroups);
  return {
    kind: 'dispatch',
    bindings,
    workgroups: [gridX, Math.ceil(groups / gridX), 1],
    dims: { ...dims, lanes, gridX },
    code: `${declarations}
@compute @workgroup_size(${LANES}) fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) lane: u32) {
  let id = (workgroup.y * dims.gridX + workgroup.x) * ${LANES}u + lane;
  if (id >= dims.lanes) { return; }${body}
}`,
  };
}

const LANES = 64;

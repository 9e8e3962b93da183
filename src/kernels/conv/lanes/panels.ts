import type { DeviceTraits, KernelStep, Operand, Scratch } from '../../../engine/graph/tensor.js';
import {
  ALIAS_BYTES,
  formatOf,
  type LinearTexture,
  linearTexture,
  type Stored,
  texelBytes,
} from '../../common/texture-operand.js';

/**
 * A matrix [rows, columns of texels] whose columns lanes read side by side, panel after panel of few columns. It is
 * copied to a texture as it lies, unless rows lie so that they would all fall into the same few sets of the cache: then
 * the panels are laid one behind the other, so that a kernel walking down the rows of one reads memory in order.
 */
export interface PanelMatrix {
  readonly operand: Operand;
  /** A texture, or the buffer that the matrix lies in anyway. */
  readonly lieIn: 'texture' | 'buffer';
  readonly stored: Stored;
  readonly fold: LinearTexture;
  /** Texels from a row to the next, and from a panel to the next. */
  readonly rowTexels: number;
  readonly panelTexels: number;
}

interface PanelShape {
  readonly stored: Stored;
  readonly rows: number;
  /** Texels a row. */
  readonly columns: number;
  /** Texels of a panel's row. */
  readonly panel: number;
}

/** Texels of all panels, the last of which may be ragged. */
export function panelTexels({ rows, columns, panel }: Omit<PanelShape, 'stored'>): number {
  return columns <= panel ? rows * columns : Math.ceil(columns / panel) * rows * panel;
}

/** The texture of a matrix that is copied. */
export function copiedTexture({ rows, columns, stored }: PanelShape, traits: DeviceTraits) {
  return linearTexture(rows * columns, stored, traits);
}

/** The texture of a matrix that a kernel writes, or has written, in panels. */
export function panelLayout(
  shape: PanelShape,
  traits: DeviceTraits,
): { fold: LinearTexture; rowTexels: number; panelTexels: number } | undefined {
  const rowTexels = Math.min(shape.columns, shape.panel);
  const fold = linearTexture(panelTexels(shape), shape.stored, traits);
  return fold && { fold, rowTexels, panelTexels: shape.rows * rowTexels };
}

/** A matrix that stays where it is: panels side by side in its rows. */
export function matrixInBuffer({
  columns,
  panel,
  stored,
  operand,
}: PanelShape & { readonly operand: Operand }): PanelMatrix {
  return {
    operand,
    lieIn: 'buffer',
    stored,
    fold: { width: 1, height: 1 },
    rowTexels: columns,
    panelTexels: panel,
  };
}

/** Copies a matrix to a texture: at once, or panel by panel. */
export function matrixInTexture(
  shape: PanelShape,
  source: Operand,
  traits: DeviceTraits,
  addScratch: (need: Scratch) => number,
  steps: KernelStep[],
): PanelMatrix {
  const { rows, columns, panel, stored } = shape;
  const fold = copiedTexture(shape, traits);
  if (!fold) throw new RangeError('matrixInTexture: the matrix does not fit a texture');
  const texture = addScratch({ kind: 'texture', ...fold, format: formatOf(stored) });
  const staged = { operand: { kind: 'scratch', index: texture }, lieIn: 'texture', stored, fold } as const;
  const aliased = (columns * texelBytes(stored)) % ALIAS_BYTES === 0;
  if (columns <= panel || !aliased) {
    steps.push({ kind: 'texture-copy', from: source, to: texture });
    return { ...staged, rowTexels: columns, panelTexels: panel };
  }
  // A texture row holds `side` matrix rows side by side; each phase of them is one box.
  const side = fold.width / panel;
  for (let first = 0; first < columns; first += panel) {
    const begin = (first / panel) * rows;
    for (let phase = 0; phase < side; phase++) {
      const row = (((phase - begin) % side) + side) % side;
      const height = Math.ceil((rows - row) / side);
      if (height <= 0) continue;
      const box = {
        offset: row * columns + first,
        pitch: side * columns,
        x: phase * panel,
        y: Math.floor((begin + row) / side),
        width: panel,
        height,
      };
      steps.push({ kind: 'texture-copy', from: source, to: texture, box });
    }
  }
  return { ...staged, rowTexels: panel, panelTexels: rows * panel };
}

import type { DeviceTraits, KernelStep, Operand, Scratch } from '../engine/tensor.js';
import { formatOf, type LinearTexture, linearTexture, rowTexelsOf, type Stored } from './texture-operand.js';

/**
 * A matrix [rows, columns of texels] in a texture, cut into panels of few columns that lie one behind the other, each
 * row by row. A kernel that walks down the rows of one panel then reads memory in order; in the matrix as it is, rows of
 * a power of two of bytes would all fall into the same few sets of the cache.
 */
export interface Panels {
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

/** Whether copies alone can cut the matrix, or it must be written in panels by a kernel. */
export function copiesCut({ columns, panel, stored }: PanelShape): boolean {
  return columns <= panel || columns % rowTexelsOf(stored) === 0;
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
export function bufferPanels({
  columns,
  panel,
  stored,
  operand,
}: PanelShape & { readonly operand: Operand }): Panels {
  return {
    operand,
    lieIn: 'buffer',
    stored,
    fold: { width: 1, height: 1 },
    rowTexels: columns,
    panelTexels: panel,
  };
}

/** Brings a matrix that `copiesCut` into panels: one copy a panel where a texture row holds one row of it. */
export function stagePanels(
  shape: PanelShape,
  source: Operand,
  traits: DeviceTraits,
  addScratch: (need: Scratch) => number,
  steps: KernelStep[],
): Panels {
  const layout = panelLayout(shape, traits);
  if (!layout) throw new RangeError('stagePanels: the matrix does not fit a texture');
  const { fold, rowTexels } = layout;
  const { rows, columns, stored } = shape;
  const texture = addScratch({
    kind: 'texture',
    width: fold.width,
    height: fold.height,
    format: formatOf(stored),
  });
  const operand: Operand = { kind: 'scratch', index: texture };
  if (columns === rowTexels) {
    steps.push({ kind: 'texture-copy', from: source, to: texture });
    return { ...layout, operand, lieIn: 'texture', stored };
  }
  // A texture row holds `side` matrix rows side by side; each phase of them is one box.
  const side = fold.width / rowTexels;
  for (let panel = 0; panel * rowTexels < columns; panel++) {
    for (let phase = 0; phase < side; phase++) {
      const first = (((phase - panel * rows) % side) + side) % side;
      const height = Math.ceil((rows - first) / side);
      if (height <= 0) continue;
      const box = {
        offset: first * columns + panel * rowTexels,
        pitch: side * columns,
        x: phase * rowTexels,
        y: Math.floor((panel * rows + first) / side),
        width: Math.min(rowTexels, columns - panel * rowTexels),
        height,
      };
      steps.push({ kind: 'texture-copy', from: source, to: texture, box });
    }
  }
  return { ...layout, operand, lieIn: 'texture', stored };
}

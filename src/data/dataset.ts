import { ImageStore, type ImageStoreOptions } from './images/image-store.js';
import type { GreyPixels } from './images/prepare.js';
import type { Preprocessing } from './images/preprocessing.js';
import type { LabelTable, TableRow } from './tables/table.js';

/**
 * Some rows of a table together with their pictures. Positions 0…length−1 are the data set's own; `row(i)` leads back
 * to the table, so that predictions and errors can name what the person knows.
 */
export class Dataset {
  readonly table: LabelTable;
  readonly store: ImageStore;
  /** Table rows of this data set, in its order. */
  readonly indices: Int32Array;

  constructor(table: LabelTable, store: ImageStore, indices: Int32Array) {
    this.table = table;
    this.store = store;
    this.indices = indices;
  }

  get length(): number {
    return this.indices.length;
  }

  get classes(): readonly string[] {
    return this.table.classes;
  }

  get preprocessing(): Preprocessing {
    return this.store.preprocessing;
  }

  /** The table's row at position `index`. @throws RangeError */
  row(index: number): TableRow {
    const row = this.table.rows[this.indices[index] ?? -1];
    if (row === undefined) throw new RangeError(`position ${index} of a data set of ${this.length}`);
    return row;
  }

  /** The labels at position `index`: [classes], NaN = unknown. A view: don't write to it. */
  labels(index: number): Float32Array {
    const width = this.classes.length;
    const at = this.indices[index] ?? 0;
    return this.table.labels.subarray(at * width, (at + 1) * width);
  }

  /** The prepared grey picture: [height, width], by `preprocessing.bits`. Shared: don't write to it. @throws ImageError */
  loadPixels(index: number): Promise<GreyPixels> {
    const { image, line } = this.row(index);
    return this.store.prepared(image, line);
  }

  /** The same pictures and cache, other rows (given as positions of this data set). */
  subset(positions: Iterable<number>): Dataset {
    const indices = Int32Array.from(positions, (position) => this.indices[position] ?? -1);
    return new Dataset(this.table, this.store, indices);
  }
}

export type OpenDatasetOptions = {
  table: LabelTable;
  /** Rows of the table; all when absent. */
  indices?: Int32Array;
} & ({ store: ImageStore } | ImageStoreOptions);

/** Joins a table with its image folder. Give one `store` to several data sets to share its cache. Opens no file. */
export function openDataset(options: OpenDatasetOptions): Dataset {
  const store = 'store' in options ? options.store : new ImageStore(options);
  return new Dataset(options.table, store, options.indices ?? Int32Array.from(options.table.rows.keys()));
}

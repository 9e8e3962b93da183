import type { DataPart } from '../data/tables/data-source.js';

export type PartName = 'train' | 'validation' | 'test';

/** One part of the split, with its rows. */
export interface NamedPart extends DataPart {
  readonly name: PartName;
}

import { type Dataset, openDataset } from '../../src/data/dataset.js';
import type { ImageStoreOptions } from '../../src/data/images/image-store.js';
import { preprocessingSchema } from '../../src/data/images/preprocessing.js';
import type { LabelTable } from '../../src/data/tables/table.js';
import { numberedPng } from './images/pictures.js';
import { temporaryFolder } from './temporary-folder.js';

/** A table naming `images`, two classes, with labels 1/NaN in turns. */
export function tableNaming(images: readonly string[]): LabelTable {
  return {
    path: 'made.csv',
    layout: 'plain',
    classes: ['Mass', 'Nodule'],
    rows: images.map((image, i) => ({ image, patient: `p${i}`, line: i + 2, split: null })),
    labels: Float32Array.from(images.flatMap((_, i) => [i % 2, i % 3 === 0 ? Number.NaN : 1])),
    patientIds: null,
    notes: [],
  };
}

/** A data set of `count` 8 × 8 pictures that can be told apart, prepared at 6 × 5, with other files beside them. */
export async function madeDataset(
  count: number,
  others: Record<string, string | Uint8Array> = {},
  options: Partial<ImageStoreOptions> = {},
): Promise<Dataset> {
  const files: Record<string, string | Uint8Array> = { ...others };
  const images: string[] = [];
  for (let i = 0; i < count; i++) {
    images.push(`${i}.png`);
    files[`${i}.png`] ??= await numberedPng(i);
  }
  const root = await temporaryFolder(files);
  const preprocessing = preprocessingSchema.parse({ size: [6, 5], channels: 3 });
  return openDataset({ table: tableNaming(images), root, preprocessing, ...options });
}

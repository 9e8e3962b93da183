import type { DataSourceOptions } from '../data/tables/data-source.js';
import type { Recipe } from './recipe-schema.js';

/** A recipe's data section in the words of the data room. */
export function dataSourceOptions(data: Recipe['data']): DataSourceOptions {
  return {
    ...(data.images !== undefined && { images: data.images }),
    table: {
      uncertain: data.uncertain,
      blank: data.blank,
      ...(data.layout !== undefined && { layout: data.layout }),
      ...(data.classes !== undefined && { classes: data.classes }),
      ...(data.imageColumn !== undefined && { imageColumn: data.imageColumn }),
      ...(data.patientColumn !== undefined && { patientColumn: data.patientColumn }),
    },
    validation: data.validationFraction,
    test: data.testFraction,
    seed: data.splitSeed,
    stratify: data.stratify,
  };
}

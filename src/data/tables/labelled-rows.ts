import type { LabelledSamples } from '../sampling/expected-visits.js';
import type { DataPart } from './data-source.js';

/** The labels of some rows of a table, without their pictures. */
export function labelledRows({ table, indices }: DataPart): LabelledSamples {
  const width = table.classes.length;
  return {
    length: indices.length,
    classes: table.classes,
    labels: (position) => {
      const at = indices[position] ?? 0;
      return table.labels.subarray(at * width, (at + 1) * width);
    },
  };
}

import { augmentSchema, drawAugmentation } from '#src/data/images/augment.js';
import { elementCount } from '#src/engine/graph/tensor.js';
import { augmentGrey } from '#src/kernels/image/augment-grey.js';
import { changesShape, packChanges } from '#src/kernels/image/change-table.js';
import { tensorOperation } from '../tensor-operation.js';
import type { Workload } from '../workload.js';

/** A batch of training pictures, changed as the default recipe draws it: some pictures by all kernels, some by none. */
const SHAPE = [64, 224, 224] as const;

export const augmentations: readonly Workload[] = [
  tensorOperation({
    name: `augmentation-${SHAPE.join('x')}`,
    direction: 'forward',
    shape: SHAPE.join('×'),
    flops: 100 * elementCount(SHAPE),
    operands: [{ shape: SHAPE }],
    results: [{ shape: SHAPE }],
    tailray: ([grey]) => {
      if (grey === undefined) return [];
      const [n, ...size] = SHAPE;
      const settings = augmentSchema.parse({});
      const draws = Array.from({ length: n }, (_, slot) =>
        drawAugmentation(settings, size, { seed: 1, epoch: 0, slot }),
      );
      const table = grey.graph.constant(packChanges(draws, settings, SHAPE), changesShape(settings, n));
      return [augmentGrey(grey, table, settings)];
    },
  }),
];

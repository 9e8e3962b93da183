import { expect, test } from 'vitest';
import { compile } from '../../src/engine/compile.js';
import { Graph } from '../../src/engine/graph/tensor.js';
import { resizeMap } from '../../src/explain/maps/coarse-maps.js';
import { traceMap } from '../../src/explain/maps/trace-map.js';
import { createWeightArenas } from '../../src/models/weight-arenas.js';
import { testDevice } from '../device.js';
import { expectDigest, relativeError } from '../golden/digest.js';
import { EXPLAIN_GOLDENS } from '../golden/explain-golden.js';
import { hashImages } from '../golden/hash-weights.js';
import { goldenModel } from '../golden/model-golden.js';

/** As the L2 error of a map over its norm. */
const TOLERANCE = 1e-4;

test.each(
  EXPLAIN_GOLDENS.map(
    (golden) => [`${golden.method} of ${golden.arch}, ${golden.head.name}`, golden] as const,
  ),
)('%s equals PyTorch’s', async (_, golden) => {
  const { method, images, classes, columns } = golden;
  const device = await testDevice();
  const { definition, weights } = goldenModel(golden);
  const arenas = await createWeightArenas(device, definition, weights);
  const graph = new Graph();
  const traced = definition.trace(graph, graph.input('images', images), 'eval');
  const select = graph.input('select', [images[0], classes]);
  const cells = traceMap(method, traced, { select, definition });
  const program = await compile(device, {
    graph,
    outputs: [traced.logits, cells],
    arenas: { ...arenas },
  });
  const selected = new Float32Array(images[0] * classes);
  for (const [i, column] of columns.entries()) selected[i * classes + column] = 1;
  program.run({ images: hashImages(images, golden.pictures), select: selected });
  const logits = await program.read(traced.logits);
  const values = await program.read(cells);
  program.destroy();
  for (const arena of Object.values(arenas)) arena.destroy();

  expect(relativeError(logits, golden.logits.flat())).toBeLessThan(TOLERANCE);
  const grid = [golden.cells[0]!.length, golden.cells[0]![0]!.length] as const;
  expect(cells.shape).toEqual([images[0], ...grid]);
  expect(relativeError(values, golden.cells.flat(2))).toBeLessThan(TOLERANCE);
  const first = resizeMap(values.subarray(0, grid[0] * grid[1]), grid, [images[1], images[2]]);
  expectDigest('resized', first, golden.resized, TOLERANCE);
});

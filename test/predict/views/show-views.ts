import { compile } from '../../../src/engine/compile.js';
import { Graph } from '../../../src/engine/graph/tensor.js';
import { viewGrey, viewTable, viewTableShape } from '../../../src/kernels/image/view-grey.js';
import { type ViewSet, viewsOf } from '../../../src/predict/views/views.js';
import { testDevice } from '../../device.js';

/** Pictures [n, h, w] as a set's views show them, all by one program. */
export async function showViews(
  set: ViewSet,
  grey: Float32Array,
  [n, height, width]: readonly [number, number, number],
): Promise<Float32Array[]> {
  const graph = new Graph();
  const view = graph.input('view', viewTableShape(height, width));
  const seen = viewGrey(graph.input('grey', [n, height, width]), view);
  const program = await compile(await testDevice(), { graph, outputs: [seen] });
  const results: Float32Array[] = [];
  for (const each of viewsOf(set)) {
    program.run({ grey, view: viewTable(each(height, width)) });
    results.push(await program.read(seen));
  }
  program.destroy();
  return results;
}

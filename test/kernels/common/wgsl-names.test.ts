import { describe, expect, test } from 'vitest';
import { at, type DeviceTraits, Graph, type Tensor } from '../../../src/engine/graph/tensor.js';
import { NO_EPILOGUE } from '../../../src/kernels/common/epilogue.js';
import { conv2d } from '../../../src/kernels/conv/conv.js';
import { pointwiseFunctions } from '../../../src/kernels/pointwise/pointwise-table.js';
import { bmm } from '../../../src/kernels/product/bmm.js';

/** Names that a piece of WGSL declares for a whole module. */
function declaredIn(code: string): string[] {
  return [...code.matchAll(/^\s*(?:fn|struct|alias|const|override|var<\w+>) (\w+)/gm)].map(
    ([, name = '']) => name,
  );
}

const TRAITS: Omit<DeviceTraits, 'kind' | 'adapter' | 'subgroupSize'> = {
  maxBindings: 10,
  maxBindingBytes: 2 ** 30,
  maxBufferBytes: 2 ** 30,
  maxTextureSide: 8192,
  maxWorkgroupBytes: 32768,
  maxInvocations: 1024,
  maxWorkgroups: 65535,
  bindingAlignment: 256,
  f16: false,
  residentGroups: 256,
  matrices: [],
};

const libraries = new Set(
  Object.values(pointwiseFunctions).flatMap(({ library }) => (library ? [library(false)] : [])),
);
const epilogue = NO_EPILOGUE.emit(false).declarations;

describe('a WGSL name has one meaning', () => {
  test('among the pointwise libraries and the epilogue, which meet in one module', () => {
    const names = [...libraries, epilogue].flatMap(declaredIn);
    expect(names.length).toBeGreaterThan(8);
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
  });

  const products: Record<string, (graph: Graph) => Tensor> = {
    conv2d: (graph) =>
      conv2d(graph.input('x', [2, 8, 8, 16]), graph.input('w', [3, 3, 16, 16]), { padding: 1 }),
    depthwise: (graph) =>
      conv2d(graph.input('x', [2, 8, 8, 16]), graph.input('w', [3, 3, 1, 16]), { padding: 1, groups: 16 }),
    bmm: (graph) => bmm(graph.input('a', [3, 9, 16]), graph.input('b', [3, 16, 20])),
  };
  test.each(Object.entries(products))('in the kernels of %s beside the pointwise libraries', (_, trace) => {
    const graph = new Graph();
    const { source } = trace(graph);
    const { op, inputs, outputs, attributes } = source.kind === 'op' ? source.node : at(graph.nodes, 0);
    const problem = { inputs, outputs, attributes };
    const taken = new Set([...libraries].flatMap(declaredIn));
    for (const traits of [
      { ...TRAITS, kind: 'software', adapter: 'lavapipe', subgroupSize: 8 },
      { ...TRAITS, kind: 'gpu', adapter: 'gpu', subgroupSize: 32 },
    ] as const) {
      for (const variant of op.variants.filter(({ unfit }) => unfit(problem, traits) === undefined)) {
        for (const step of variant.build(problem, traits).steps) {
          if (step.kind !== 'dispatch') continue;
          const names = declaredIn(step.code);
          expect(names.filter((name, i) => taken.has(name) || names.indexOf(name) !== i)).toEqual([]);
        }
      }
    }
  });
});

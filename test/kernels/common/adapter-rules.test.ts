import { describe, expect, test } from 'vitest';
import { choose } from '../../../src/engine/choose/choose.js';
import { at, type DeviceTraits, Graph, type Node, type Shape } from '../../../src/engine/graph/tensor.js';
import { conv2d } from '../../../src/kernels/conv/conv.js';
import { bmm } from '../../../src/kernels/product/bmm.js';

const LIMITS = {
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
const INTEL: DeviceTraits = { ...LIMITS, kind: 'gpu', adapter: 'gpu', subgroupSize: 8 };
const LAVAPIPE: DeviceTraits = { ...LIMITS, kind: 'software', adapter: 'lavapipe', subgroupSize: 8 };
const SWIFTSHADER: DeviceTraits = { ...LIMITS, kind: 'software', adapter: 'swiftshader', subgroupSize: 4 };

function nodeOf(a: Shape, b: Shape, op: typeof conv2d | typeof bmm): Node {
  const graph = new Graph();
  op(graph.input('a', a), graph.input('b', b));
  return at(graph.nodes, -1);
}

/** Operands of the lane kernel that are copied into textures. */
function copies(traits: DeviceTraits): number {
  const node = nodeOf([2, 16, 16, 64], [3, 3, 64, 64], conv2d);
  const { kernel } = choose(node, traits, { preference: { conv2d: 'lanes' } });
  return kernel.steps.filter(({ kind }) => kind === 'texture-copy').length;
}

describe('the size of a subgroup does not tell the adapter:', () => {
  test('a GPU with subgroups of 8 gets the kernel of other GPUs', () => {
    const node = nodeOf([2, 16, 16, 64], [5, 5, 64, 64], conv2d);
    expect(choose(node, INTEL).variant).toBe(choose(node, { ...INTEL, subgroupSize: 32 }).variant);
    expect(choose(node, LAVAPIPE).variant).toBe('lanes');
    expect(choose(node, SWIFTSHADER).variant).toBe('lanes');
  });

  test('lane kernels on such a GPU are not shaped for lavapipe', () => {
    // Lavapipe has the weights copied into a texture as well as the image.
    expect(copies(LAVAPIPE)).toBe(copies(SWIFTSHADER) + 1);
    expect(copies(INTEL)).toBe(copies(SWIFTSHADER));
  });

  test('lavapipe with narrow vectors is lavapipe still', () => {
    const narrow = { ...LAVAPIPE, subgroupSize: 4 };
    expect(copies(narrow)).toBe(copies(LAVAPIPE));
    const odd = nodeOf([2, 5, 7], [2, 7, 3], bmm);
    expect(choose(odd, narrow).variant).toBe('tileRegisters');
    expect(choose(odd, SWIFTSHADER).variant).not.toBe('tileRegisters');
  });
});

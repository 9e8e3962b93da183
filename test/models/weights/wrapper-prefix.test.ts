import { expect, test } from 'vitest';
import { fromWrapped, wrapperPrefix } from '../../../src/models/weights/wrapper-prefix.js';

test.each([
  [['module.a', 'module.b.c'], 'module.'],
  [['module._orig_mod.model.a', 'module._orig_mod.model.b'], 'module._orig_mod.model.'],
  [['model.a', 'criterion.weight'], ''],
  [['modules.a', 'module.b'], ''],
  [['module.module.'], 'module.module.'],
  [[], ''],
])('of %j, the wrappers are "%s"', (names, prefix) => {
  expect(wrapperPrefix(names)).toBe(prefix);
});

test('names are those in the network, with a note', () => {
  const { tensors, notes } = fromWrapped(new Map([['module.a', 1]]));
  expect([...tensors]).toEqual([['a', 1]]);
  expect(notes).toEqual(['all tensors of the file are called module.…: that prefix is left out.']);
  const plain = new Map([['a', 1]]);
  expect(fromWrapped(plain)).toEqual({ tensors: plain, notes: [] });
});

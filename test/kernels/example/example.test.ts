import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { ShapeError } from '../../../src/engine/errors.js';
import { Graph } from '../../../src/engine/graph/tensor.js';
import { checkOp } from '../check-op.js';
import { flip } from './flip.js';
import { softsign } from './softsign.js';

/** The examples of docs/kernels.md: the files beside this one hold them as the page does, so that they are compiled. */
const page = await readFile(new URL('../../../docs/kernels.md', import.meta.url), 'utf8');
const blocks = Array.from(page.matchAll(/```ts\n(.*?)```/gs), ([, code = '']) => code);

test.each([
  ['softsign', 0],
  ['flip', 1],
])('%s is the code of the page', async (name, index) => {
  const file = await readFile(new URL(`./${name}.ts`, import.meta.url), 'utf8');
  const asOnPage = file.replaceAll("'../../../src/kernels/", "'../").replaceAll("'../../../src/", "'../../");
  expect(asOnPage).toBe(blocks[index]);
});

describe('the examples are right:', () => {
  test('softsign', () =>
    checkOp({
      shapes: [[3, 8]],
      build: ([x]) => softsign(x!),
      reference: ([x]) => x!.map((value) => value / (1 + Math.abs(value))),
    }));

  test('flip', () =>
    checkOp({
      shapes: [[3, 5]],
      build: ([x]) => flip(x!),
      reference: ([x]) => x!.map((_, i) => x![i - (i % 5) + 4 - (i % 5)]!),
    }));

  test('flip refuses words', () => {
    const graph = new Graph();
    expect(() => flip(graph.input('x', [4], 'u32'))).toThrow(ShapeError);
  });
});

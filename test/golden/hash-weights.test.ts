import { expect, it } from 'vitest';
import { readGolden } from './golden-files.js';
import { hashImages, hashTensor, hashUniform } from './hash-weights.js';

/** Both twins must make the same numbers, or every comparison of models is void. */

interface Golden {
  tensors: { name: string; shape: number[]; first: number[]; last: number[]; sum: number }[];
  uniform: { name: string; values: number[] }[];
  images: { shape: [number, number, number, number]; number: number; values: number[] };
}

const golden = readGolden<Golden>('hash-weights.json');

it.each(golden.tensors)('$name is the tensor that Python makes', ({ name, shape, first, last, sum }) => {
  const values = hashTensor(name, shape);
  expect([...values.subarray(0, 4)]).toEqual(first);
  expect([...values.subarray(-4)]).toEqual(last);
  expect(values.reduce((total, value) => total + value, 0)).toBeCloseTo(sum, 9);
});

it.each(golden.uniform)('the stream "$name" is the one that Python makes', ({ name, values }) => {
  expect([...hashUniform(name, values.length)]).toEqual(values);
});

it('the images are those that Python makes', () => {
  const { shape, number, values } = golden.images;
  expect([...hashImages(shape, number)]).toEqual(values);
});

import { expect, test } from 'vitest';
import { adapterKind } from '../../src/platform/adapter-kind.js';

const info = (words: Partial<Parameters<typeof adapterKind>[0]>) => ({
  vendor: '',
  architecture: '',
  device: '',
  description: '',
  isFallbackAdapter: false,
  ...words,
});

test.each([
  ['lavapipe', { vendor: 'mesa', description: 'llvmpipe: Mesa 25.0.7 (LLVM 15.0.6)' }],
  ['swiftshader', { vendor: 'google', architecture: 'swiftshader' }],
  ['software', { vendor: 'microsoft', isFallbackAdapter: true }],
  ['software', { description: 'A Software Rasterizer' }],
  ['gpu', { vendor: 'intel', architecture: 'gen-12lp', description: 'Intel(R) Iris(R) Xe Graphics' }],
] as const)('%s is told by its words: %o', (kind, words) => {
  expect(adapterKind(info(words))).toBe(kind);
});

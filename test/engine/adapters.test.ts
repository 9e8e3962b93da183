import { expect, test } from 'vitest';
import { openAdapter } from '../../src/engine/adapters/open-adapter.js';

test('opens an adapter and defines the WebGPU constants', async () => {
  const opened = await openAdapter();
  const device = await opened.adapter.requestDevice();
  const buffer = device.createBuffer({ size: 16, usage: GPUBufferUsage.STORAGE });
  expect(buffer.size).toBe(16);
  device.destroy();
});

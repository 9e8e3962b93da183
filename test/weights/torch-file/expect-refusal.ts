import { expect } from 'vitest';
import { TorchFile } from '../../../src/weights/torch-file/torch-file.js';
import { TorchFileError } from '../../../src/weights/torch-file/torch-file-error.js';
import { CountingSource } from './counting-source.js';

export type Hostile = readonly [name: string, kind: 'damaged' | 'refused', message: RegExp];

export async function expectRefusal(bytes: Uint8Array, kind: string, message: RegExp): Promise<void> {
  const source = new CountingSource(bytes);
  const error = await TorchFile.open(source)
    .then((file) => file.readAll())
    .then(
      () => expect.fail('was read'),
      (reason: unknown) => reason,
    );
  expect(error).toBeInstanceOf(TorchFileError);
  expect(error).toMatchObject({ kind, message: expect.stringMatching(message) });
  expect((error as Error).message.length).toBeLessThan(800);
  // memory and time go with the file, not with its claims
  expect(source.largest).toBeLessThanOrEqual(bytes.length);
  expect(source.total).toBeLessThanOrEqual(3 * bytes.length + 70_000);
}

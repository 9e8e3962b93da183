import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { preprocessingSchema } from '../../src/data/images/preprocessing.js';
import { readSafetensors, writeSafetensors } from '../../src/models/safetensors/safetensors.js';
import { type FileSystem, nodeFiles, StorageError, writeAtomically } from '../../src/storage/atomic-file.js';
import { contentDigest, DIGEST_KEY } from '../../src/storage/content-digest.js';
import {
  type Checkpoint,
  decodeCheckpoint,
  encodeCheckpoint,
  readCheckpoint,
  readWeights,
  writeCheckpoint,
} from '../../src/weights/checkpoint.js';
import { CheckpointError } from '../../src/weights/checkpoint-error.js';
import { temporaryFolder } from '../data/temporary-folder.js';

const checkpoint: Checkpoint = {
  model: {
    arch: 'resnet18',
    classes: 2,
    inChannels: 1,
    head: { name: 'csra', lambda: 0.2 },
    stem: 'small',
    width: 4,
    dropRate: 0,
    dropPathRate: 0.1,
  },
  classes: ['Mass', 'Nodule "x"'],
  preprocessing: preprocessingSchema.parse({ size: [16, 16] }),
  weights: 'average',
  epoch: 3,
  step: 12,
  metrics: { mAP: 0.25, auroc: null },
  prevalence: [0.1, null],
  recipe: { seed: 1, optimizer: { lr: 0.1 } },
  tailray: '0.1.0',
  tensors: new Map([
    ['fc.weight', { dtype: 'F32', shape: [2, 3], data: Float32Array.of(1, 2, 3, -4, 5e-30, Number.NaN) }],
    ['fc.bias', { dtype: 'F32', shape: [2], data: Float32Array.of(0.5, -0) }],
  ]),
};

async function refusal(bytes: Uint8Array): Promise<CheckpointError> {
  const error = await decodeCheckpoint(bytes, 'm.safetensors').catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(CheckpointError);
  expect((error as Error).message).toMatch(/^m\.safetensors: /);
  return error as CheckpointError;
}

describe('a checkpoint', () => {
  test('of the time when a head was but a name is read', async () => {
    const { tensors, metadata } = readSafetensors(await encodeCheckpoint(checkpoint));
    const older: Record<string, string> = {
      ...metadata,
      model: JSON.stringify({ ...checkpoint.model, head: 'linear' }),
    };
    older[DIGEST_KEY] = await contentDigest(tensors, older);
    const read = await decodeCheckpoint(writeSafetensors(tensors, older), 'older');
    expect(read.model.head).toEqual({ name: 'linear' });
  });

  test('comes back as it was, from a file of the same bytes each time', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'best.safetensors');
    await writeCheckpoint(path, checkpoint);
    expect(await readCheckpoint(path)).toEqual(checkpoint);
    expect(new Uint8Array(await readFile(path))).toEqual(await encodeCheckpoint(checkpoint));
    expect(await readdir(folder)).toEqual(['best.safetensors']);
  });

  test('any single flipped bit is noticed', async () => {
    const whole = await encodeCheckpoint(checkpoint);
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(7), async (at, bit) => {
        const bytes = whole.slice();
        bytes[at]! ^= 1 << bit;
        expect(['damaged', 'foreign', 'newer']).toContain((await refusal(bytes)).kind);
      }),
      { numRuns: 400 },
    );
  });

  test('a flipped bit in a weight is told from a broken file', async () => {
    const bytes = (await encodeCheckpoint(checkpoint)).slice();
    bytes[bytes.length - 1]! ^= 1;
    const error = await refusal(bytes);
    expect(error.kind).toBe('damaged');
    expect(error.message).toMatch(/content has changed .*SHA-256/);
  });

  test('cut short anywhere, it is damaged', async () => {
    const whole = await encodeCheckpoint(checkpoint);
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), async (length) => {
        expect((await refusal(whole.subarray(0, length))).kind).toBe('damaged');
      }),
      { numRuns: 60 },
    );
  });

  test('other people’s weights are no checkpoint, but can be started from', async () => {
    const bytes = writeSafetensors(checkpoint.tensors);
    expect((await refusal(bytes)).kind).toBe('foreign');
    const folder = await temporaryFolder({ 'w.safetensors': bytes });
    expect([...(await readWeights(join(folder, 'w.safetensors'))).tensors.keys()].sort()).toEqual([
      'fc.bias',
      'fc.weight',
    ]);
  });

  test('a later format asks for an update', async () => {
    const { tensors, metadata } = readSafetensors(await encodeCheckpoint(checkpoint));
    const error = await refusal(writeSafetensors(tensors, { ...metadata, formatVersion: '2' }));
    expect(error.kind).toBe('newer');
  });

  test('a missing file and a text file', async () => {
    const folder = await temporaryFolder({ 't.safetensors': 'hello, this is a text and no tensor' });
    await expect(readCheckpoint(join(folder, 'no'))).rejects.toMatchObject({ kind: 'missing' });
    await expect(readCheckpoint(join(folder, 't.safetensors'))).rejects.toMatchObject({ kind: 'damaged' });
  });
});

/** A file system whose disk is full after `room` bytes. */
function smallDisk(room: number): FileSystem {
  const full = () => Object.assign(new Error('no space left on device, write'), { code: 'ENOSPC' });
  return {
    ...nodeFiles,
    open: async (path, flags) => {
      const handle = await nodeFiles.open(path, flags);
      return {
        writeFile: async (content) => {
          const bytes = Buffer.from(content as string);
          await handle.writeFile(bytes.subarray(0, room));
          if (bytes.length > room) throw full();
        },
        sync: () => handle.sync(),
        close: () => handle.close(),
      };
    },
  };
}

describe('a disk that fills up', () => {
  test('leaves the previous checkpoint whole and nothing half-written', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'best.safetensors');
    await writeCheckpoint(path, checkpoint);
    const later = { ...checkpoint, epoch: 4 };
    const error = await writeCheckpoint(path, later, smallDisk(100)).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(StorageError);
    expect((error as Error).message).toMatch(
      /best\.safetensors can't be written: the disk is full \(ENOSPC\)/,
    );
    expect((await readCheckpoint(path)).epoch).toBe(3);
    expect(await readdir(folder)).toEqual(['best.safetensors']);
  });

  test.skipIf(!existsSync('/dev/full'))('the system’s own full device says the same', async () => {
    const toFull: FileSystem = { ...nodeFiles, open: () => nodeFiles.open('/dev/full', 'w') };
    const folder = await temporaryFolder();
    await expect(writeAtomically(join(folder, 'x'), 'content', toFull)).rejects.toThrow(/the disk is full/);
    expect(await readdir(folder)).toEqual([]);
  });

  test('a folder in the way, a file in the way, a folder that is gone', async () => {
    const folder = await temporaryFolder({ 'a/b': '' });
    await expect(writeAtomically(join(folder, 'a'), 'x')).rejects.toThrow(StorageError);
    await expect(writeAtomically(join(folder, 'a/b/c'), 'x')).rejects.toThrow(/a part of the path is a file/);
    await expect(writeAtomically(join(folder, 'no/c'), 'x')).rejects.toThrow(/the folder is gone/);
    await writeFile(join(folder, 'free'), 'old');
    await writeAtomically(join(folder, 'free'), 'new');
    expect(await readFile(join(folder, 'free'), 'utf8')).toBe('new');
  });
});

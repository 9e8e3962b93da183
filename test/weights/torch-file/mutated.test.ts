import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { unzipSync } from 'fflate';
import { expect, test } from 'vitest';
import { Random } from '../../../src/engine/random.js';
import type { SafetensorsTensor } from '../../../src/models/safetensors/safetensors.js';
import { CheckpointError } from '../../../src/weights/checkpoint-error.js';
import { TorchFile } from '../../../src/weights/torch-file/torch-file.js';
import { TorchFileError } from '../../../src/weights/torch-file/torch-file-error.js';
import { decodeWeights } from '../../../src/weights/weight-file.js';
import { CountingSource } from './counting-source.js';
import { goldenBytes, goldenNames, goldenTensors } from './golden-torch-files.js';
import { zipOf } from './torch-zip.js';

/** Files of PyTorch's with random damage: each is refused with an error of ours, or read as it was. */

const FILES = 10_000;
/** torch-file.ts lets small files stand for so many bytes of tensors. */
const MAX_TENSOR_BYTES = 16 * 2 ** 20;
/** What the process may grow by, tensors and the interpreter's values together. */
const MAX_GROWTH = 128 * 2 ** 20;

const files = goldenNames.map((name) => ({
  bytes: goldenBytes(name),
  tensors: goldenTensors(name),
  entries: Object.entries(unzipSync(goldenBytes(name))).map(([path, data]) => ({ name: path, data })),
}));
const pickles = files.map(
  ({ entries }) => entries.find(({ name }) => name.endsWith('data.pkl'))?.data as Uint8Array,
);

test(`${FILES / 2} files with damage that their checksums know`, async () => {
  const random = new Random(1, 'damage');
  const outcomes = { read: 0, refused: 0 };
  await boundedMemory(async () => {
    for (let i = 0; i < FILES / 2; i++) {
      const file = pick(random, files);
      const bytes = pick(random, DAMAGES)(file.bytes, random);
      const read = await decodeWeights(bytes, 'w.pt').catch(ours(CheckpointError));
      // damage that no tensor depends on, such as a date in the directory, does no harm; all other is found
      if (read !== undefined) expect(read.tensors).toEqual(file.tensors);
      outcomes[read === undefined ? 'refused' : 'read']++;
    }
  });
  expect(outcomes.refused).toBeGreaterThan(FILES / 4);
  expect(outcomes.read).toBeGreaterThan(0);
});

test(`${FILES / 2} files with other pickles, checksums right`, async () => {
  const random = new Random(2, 'splices');
  const outcomes = { read: 0, refused: 0 };
  await boundedMemory(async () => {
    for (let i = 0; i < FILES / 2; i++) {
      const { entries } = pick(random, files);
      const bytes = zipOf(
        entries.map(({ name, data }) => ({
          name,
          data: name.endsWith('data.pkl') ? spliced(data, random) : data,
        })),
      );
      const source = new CountingSource(bytes);
      const file = await TorchFile.open(source).catch(ours(TorchFileError));
      const tensors = await file?.readAll().catch(ours(TorchFileError));
      if (tensors) requireSound(tensors);
      expect(source.largest).toBeLessThanOrEqual(bytes.length);
      outcomes[tensors === undefined ? 'refused' : 'read']++;
    }
  });
  expect(outcomes.refused).toBeGreaterThan(FILES / 8);
  expect(outcomes.read).toBeGreaterThan(0);
});

type Damage = (bytes: Uint8Array, random: Random) => Uint8Array;

const DAMAGES: readonly Damage[] = [
  (bytes, random) => flipped(bytes, random, 0),
  // in the directory, which lies at the end
  (bytes, random) => flipped(bytes, random, bytes.length - 200),
  (bytes, random) => bytes.slice(0, random.int(bytes.length)),
  (bytes, random) =>
    joined(bytes.subarray(0, random.int(bytes.length)), bytes.subarray(random.int(bytes.length))),
  (bytes, random) => {
    const at = random.int(bytes.length);
    const noise = Uint8Array.from({ length: 1 + random.int(40) }, () => random.int(256));
    return joined(bytes.subarray(0, at), noise, bytes.subarray(at + random.int(2) * noise.length));
  },
];

function flipped(bytes: Uint8Array, random: Random, from: number): Uint8Array {
  const copy = bytes.slice();
  for (let count = 1 + random.int(4); count > 0; count--) {
    const at = from + random.int(copy.length - from);
    copy[at] = (copy[at] ?? 0) ^ (1 << random.int(8));
  }
  return copy;
}

/** Instructions of pickle protocols 0 to 5, allowed and not. */
const OPCODES = [
  ...'.(0123ablcdehijkqrstu}]VXGIJKLMNPQRSTU)o\x80\x81\x82\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8e\x90\x91\x92\x93\x94\x95',
].map((char) => char.charCodeAt(0));

/** A pickle with flipped bits, other instructions, or pieces of this one or another in it. */
function spliced(pickle: Uint8Array, random: Random): Uint8Array {
  const at = random.int(pickle.length);
  switch (random.int(4)) {
    case 0:
      return flipped(pickle, random, 0);
    case 1:
      return joined(
        pickle.subarray(0, at),
        Uint8Array.from({ length: 1 + random.int(3) }, () => pick(random, OPCODES)),
        pickle.subarray(at + random.int(2)),
      );
    case 2:
      return joined(pickle.subarray(0, at), piece(pickle, random), pickle.subarray(at));
    default:
      return joined(pickle.subarray(0, at), piece(pick(random, pickles), random), pickle.subarray(at));
  }
}

function piece(bytes: Uint8Array, random: Random): Uint8Array {
  const begin = random.int(bytes.length);
  return bytes.subarray(begin, begin + 1 + random.int(120));
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

function pick<T>(random: Random, items: readonly T[]): T {
  return items[random.int(items.length)] as T;
}

/** Passes over errors of one class that say something, and no others. */
function ours(kind: typeof CheckpointError | typeof TorchFileError) {
  return (error: unknown): undefined => {
    if (!(error instanceof kind)) throw error;
    expect(error.message).toMatch(/^[^\0]{10,1200}$/s);
  };
}

function requireSound(tensors: ReadonlyMap<string, SafetensorsTensor>): void {
  let total = 0;
  for (const { shape, data } of tensors.values()) {
    expect(data.length).toBe(shape.reduce((product, size) => product * size, 1));
    total += data.byteLength;
  }
  expect(total).toBeLessThanOrEqual(MAX_TENSOR_BYTES);
}

/** Runs and holds that the process keeps nothing much, and never grew by more than the limit. */
async function boundedMemory(run: () => Promise<void>): Promise<void> {
  const used = () => {
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  collect();
  const before = used();
  let most = before;
  const watch = setInterval(() => {
    most = Math.max(most, used());
  }, 1);
  try {
    await run();
  } finally {
    clearInterval(watch);
  }
  expect(most - before).toBeLessThan(MAX_GROWTH);
  collect();
  expect(used() - before).toBeLessThan(MAX_GROWTH / 8);
}

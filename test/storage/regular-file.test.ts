import { execFileSync } from 'node:child_process';
import { symlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { planComparison } from '../../src/compare/comparison-plan.js';
import { decodeImage } from '../../src/data/images/decode.js';
import { areSimulated } from '../../src/data/images/simulated.js';
import { resolveDataSource } from '../../src/data/tables/data-source.js';
import { readImageList } from '../../src/data/tables/image-list.js';
import { resolveImage } from '../../src/data/tables/image-path.js';
import { readTable } from '../../src/data/tables/table.js';
import { TailrayError } from '../../src/engine/errors.js';
import { readPredictions } from '../../src/predict/predictions.js';
import { readLossFile } from '../../src/recipe/loss-file.js';
import { resolveRecipe } from '../../src/recipe/recipe.js';
import { RegularFileError, readRegularFile, readRegularText } from '../../src/storage/regular-file.js';
import { readCheckpoint } from '../../src/weights/checkpoint.js';
import { openWeightSource } from '../../src/weights/open-weight-source.js';
import { readShards } from '../../src/weights/sharded-weights.js';
import { temporaryFolder } from '../data/temporary-folder.js';

const makePipe = (path: string) => execFileSync('mkfifo', [path]);
const linkToZeros = (path: string) => symlink('/dev/zero', path);

/** What once blocked for ever, or filled the memory. */
const traps = [
  ['a named pipe', makePipe, /is a named pipe \(FIFO\), not a regular file/],
  ['a link to /dev/zero', linkToZeros, /is a device, not a regular file/],
] as const;

/** Everything that opens a file which a person names, with a name that it takes. */
const readers: readonly [what: string, name: string, read: (path: string) => Promise<unknown>][] = [
  ['a label table', 'labels.csv', (path) => readTable(path)],
  ['a label table as data', 'labels.csv', (path) => resolveDataSource(path)],
  ['a table in a data folder', 'train.csv', (path) => resolveDataSource(join(path, '..'))],
  ['a split list', 'test_list.txt', readImageList],
  ['an image', 'a.png', (path) => decodeImage(path)],
  ['predictions', 'predictions.csv', readPredictions],
  ['a recipe', 'recipe.yaml', (path) => resolveRecipe(path)],
  ['a comparison', 'comparison.yaml', (path) => planComparison(path)],
  ['a loss', 'loss.ts', readLossFile],
  ['a checkpoint', 'best.safetensors', readCheckpoint],
  ['an index of weights', 'model.safetensors.index.json', readShards],
];

describe.skipIf(process.platform === 'win32')('a file that is none', () => {
  describe.each(traps)('%s', (_, make, message) => {
    test.each(readers)('is not opened as %s', { timeout: 5_000 }, async (_what, name, read) => {
      const path = join(await temporaryFolder(), name);
      await make(path);
      const error = await read(path).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(TailrayError);
      expect((error as Error).message).toContain(path);
      expect((error as Error).message).toMatch(message);
    });

    test('among the images is named as such', { timeout: 5_000 }, async () => {
      const folder = await temporaryFolder();
      await make(join(folder, 'a.png'));
      // a link leads out of the folder, too, which is said first
      await expect(resolveImage(folder, 'a')).rejects.toThrow(/named pipe|leads outside the image folder/);
    });

    test('beside data and weights is passed over', { timeout: 5_000 }, async () => {
      const folder = await temporaryFolder();
      await make(join(folder, 'dataset.json'));
      await make(join(folder, 'config.json'));
      expect(await areSimulated(folder)).toBe(false);
      expect(await openWeightSource(join(folder, 'model.safetensors')).config()).toBeNull();
    });
  });

  test('a socket is told, too', async () => {
    const path = join(await temporaryFolder(), 's');
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(path, resolve));
    await expect(readRegularFile(path)).rejects.toMatchObject({ code: 'IRREGULAR', reason: /a socket/ });
    await new Promise((resolve) => server.close(resolve));
  });
});

describe('a regular file', () => {
  test('is read whole, through a link too', async () => {
    const folder = await temporaryFolder({ 'a.txt': 'größe' });
    await symlink('a.txt', join(folder, 'b.txt'));
    expect(await readRegularText(join(folder, 'b.txt'))).toBe('größe');
    expect(await readRegularFile(join(folder, 'a.txt'), { maxBytes: 7 })).toHaveLength(7);
  });

  test('above its limit, missing, or a folder gives a reason', async () => {
    const folder = await temporaryFolder({ 'a.txt': '12345' });
    const refusal = (name: string) => readRegularFile(join(folder, name), { maxBytes: 4 });
    await expect(refusal('a.txt')).rejects.toThrow(/a\.txt: has 5 bytes, more than the 4 allowed here\./);
    await expect(refusal('b.txt')).rejects.toMatchObject({
      code: 'ENOENT',
      reason: 'there is no such file.',
    });
    await expect(refusal('.')).rejects.toMatchObject({ code: 'EISDIR', reason: 'is a folder.' });
    await expect(refusal('b.txt')).rejects.toBeInstanceOf(RegularFileError);
  });
});

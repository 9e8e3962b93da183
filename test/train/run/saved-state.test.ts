import { readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type FileSystem, nodeFiles, StorageError } from '../../../src/storage/atomic-file.js';
import { type ArenaContent, type SavedAbout, SavedState } from '../../../src/train/run/saved-state.js';
import { CheckpointError } from '../../../src/weights/checkpoint-error.js';
import { temporaryFolder } from '../../data/temporary-folder.js';

const shapes = new Map([
  ['conv', [2, 2]],
  ['bias', [3]],
]);

function arena(name: string, first: number): ArenaContent {
  const values = new Map([
    ['conv', Float32Array.of(first, first + 1, 2, 3)],
    ['bias', Float32Array.of(-first, 1e-30, 7)],
  ]);
  return { name, shapes, read: async () => values };
}

function about(step: number): SavedAbout {
  return {
    progress: { step, epochsClosed: 1, epochLoss: { sum: 0.1 + 0.2, steps: 2 }, best: null },
    data: 'rows',
    adapter: 'test',
  };
}

async function saved(step = 4): Promise<{ folder: string; state: SavedState }> {
  const folder = join(await temporaryFolder(), 'last');
  const state = new SavedState(folder);
  await state.save(about(step), [arena('params', step), arena('stats', step + 10)]);
  return { folder, state };
}

async function refusal(work: Promise<unknown>): Promise<CheckpointError> {
  const error = await work.catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(CheckpointError);
  return error as CheckpointError;
}

describe('a saved state', () => {
  test('comes back bit by bit', async () => {
    const { folder } = await saved();
    const state = new SavedState(folder);
    expect(await state.about()).toMatchObject(about(4));
    expect(await state.tensors({ name: 'params', shapes })).toEqual(await arena('params', 4).read());
    expect(await state.tensors({ name: 'stats', shapes })).toEqual(await arena('stats', 14).read());
  });

  test('saved in between, the one before stays beside it, and a rollback makes it count again', async () => {
    const { folder, state } = await saved(4);
    await state.save(about(6), [arena('params', 6)], true);
    await state.save(about(7), [arena('params', 7)], true);
    expect((await readdir(folder)).sort()).toEqual(['state.json', 'step-4', 'step-7']);
    const resumed = new SavedState(folder);
    expect((await resumed.about())?.progress.step).toBe(7);
    expect(await resumed.target()).toEqual(about(4).progress);
    const progress = { ...about(4).progress, rollbacks: [{ step: 7, to: 4, factor: 0.5 }] };
    await resumed.rollBack(progress);
    expect((await readdir(folder)).sort()).toEqual(['state.json', 'step-4']);
    expect(await resumed.tensors({ name: 'params', shapes })).toEqual(await arena('params', 4).read());
    expect(await new SavedState(folder).about()).toMatchObject({ progress });
    // the same step comes again, with other weights
    await resumed.save(about(7), [arena('params', 70)], true);
    expect(await new SavedState(folder).tensors({ name: 'params', shapes })).toEqual(
      await arena('params', 70).read(),
    );
    await resumed.save(about(8), [arena('params', 8)]);
    expect((await readdir(folder)).sort()).toEqual(['state.json', 'step-8']);
    expect(await resumed.target()).toEqual(about(8).progress);
  });

  test('only the latest step stays', async () => {
    const { folder, state } = await saved(4);
    await state.save(about(9), [arena('params', 9)]);
    expect((await readdir(folder)).sort()).toEqual(['state.json', 'step-9']);
    expect(await new SavedState(folder).tensors({ name: 'params', shapes })).toEqual(
      await arena('params', 9).read(),
    );
  });

  test('a second save at the same step changes the progress, not the tensors', async () => {
    const { folder, state } = await saved(4);
    const later = about(4);
    await state.save({ ...later, progress: { ...later.progress, epochsClosed: 2 } }, []);
    expect((await new SavedState(folder).about())?.progress.epochsClosed).toBe(2);
    expect((await readdir(join(folder, 'step-4'))).sort()).toEqual([
      'params.safetensors',
      'stats.safetensors',
    ]);
  });

  test('nothing saved is null', async () => {
    expect(await new SavedState(join(await temporaryFolder(), 'last')).about()).toBeNull();
  });

  test('a save that was cut off is as if it had not been, and its leftovers go with the next', async () => {
    const { folder, state } = await saved(4);
    const broken: FileSystem = {
      ...nodeFiles,
      open: async (path, flags) => {
        if (path.includes('stats')) throw Object.assign(new Error('full'), { code: 'ENOSPC' });
        return nodeFiles.open(path, flags);
      },
      rm: async () => undefined, // the plug is pulled: nothing tidies up
    };
    const arenas = [arena('params', 9), arena('stats', 9)];
    await expect(new SavedState(folder, broken).save(about(9), arenas)).rejects.toThrow(StorageError);
    expect((await new SavedState(folder).about())?.progress.step).toBe(4);
    expect(await new SavedState(folder).tensors({ name: 'params', shapes })).toEqual(
      await arena('params', 4).read(),
    );
    expect((await readdir(folder)).sort()).toEqual(['state.json', 'step-4', 'step-9']);
    await state.save(about(12), arenas);
    expect((await readdir(folder)).sort()).toEqual(['state.json', 'step-12']);
  });

  test('a full disk is named, and leaves no half step behind', async () => {
    const { folder } = await saved(4);
    const full: FileSystem = {
      ...nodeFiles,
      open: async () => {
        throw Object.assign(new Error('full'), { code: 'ENOSPC' });
      },
    };
    await expect(new SavedState(folder, full).save(about(9), [arena('params', 9)])).rejects.toThrow(
      /the disk is full \(ENOSPC\). What was saved before is untouched/,
    );
    expect((await readdir(folder)).sort()).toEqual(['state.json', 'step-4']);
  });
});

describe('a state that can’t be used is refused', () => {
  test('any flipped bit of an arena or of the state', async () => {
    const { folder } = await saved();
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('state.json', 'step-4/params.safetensors'),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        fc.nat(7),
        async (name, where, bit) => {
          const path = join(folder, name);
          const whole = await readFile(path);
          const bytes = Buffer.from(whole);
          bytes[Math.floor(where * bytes.length)]! ^= 1 << bit;
          // JSON's spaces and key order may change without changing what is said
          const harmless = name === 'state.json' && same(bytes.toString(), whole.toString());
          await writeFile(path, bytes);
          const loading = new SavedState(folder).tensors({ name: 'params', shapes });
          if (harmless) await loading;
          else expect(['damaged', 'newer', 'missing']).toContain((await refusal(loading)).kind);
          await writeFile(path, whole);
        },
      ),
      { numRuns: 200 },
    );
  });

  test('cut short, or removed', async () => {
    const { folder } = await saved();
    await truncate(join(folder, 'step-4/params.safetensors'), 40);
    const state = new SavedState(folder);
    expect((await refusal(state.tensors({ name: 'params', shapes }))).kind).toBe('damaged');
    expect((await refusal(state.tensors({ name: 'ema', shapes }))).kind).toBe('mismatch');
    await truncate(join(folder, 'state.json'), 10);
    expect((await refusal(state.about())).message).toMatch(/state\.json: was cut short or changed/);
  });

  test('of another model, with the tensor that differs', async () => {
    const { state } = await saved();
    const other = (entries: [string, number[]][]) =>
      refusal(state.tensors({ name: 'params', shapes: new Map(entries) }));
    expect((await other([['conv', [2, 2]]])).message).toMatch(/holds "bias", which this model doesn't have/);
    expect((await other([...shapes, ['fc', [1]]])).message).toMatch(/holds no "fc"/);
    const reshaped = await other([
      ['conv', [4]],
      ['bias', [3]],
    ]);
    expect(reshaped.message).toMatch(/"conv" has shape \[2,2\], this model's has \[4\]/);
    expect(reshaped.kind).toBe('mismatch');
  });
});

function same(a: string, b: string): boolean {
  try {
    return JSON.stringify(JSON.parse(a)) === JSON.stringify(JSON.parse(b));
  } catch {
    return false;
  }
}

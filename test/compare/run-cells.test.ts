import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cell, planComparison } from '../../src/compare/comparison-plan.js';
import { pinnedCells } from '../../src/compare/pinned-weights.js';
import { type CellListener, cellState, runCells, runOf } from '../../src/compare/run-cells.js';
import { DivergedError } from '../../src/train/run/training-error.js';
import { temporaryFolder } from '../data/temporary-folder.js';
import { testDevice } from '../device.js';
import { FakeHub } from '../hub/fake-hub.js';
import { TINY_RECIPE, writeTinyDataset } from '../train/run/tiny-run.js';

let folder: string;
let data: string;
let cells: readonly Cell[];

async function planned(losses: string, ...overrides: string[]) {
  const path = join(folder, 'compare.yaml');
  await writeFile(path, `base: tiny.yaml\nseeds: 2\nlosses: ${losses}\n`);
  return (await planComparison(path, [`data.path=${data}`, ...overrides])).cells;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tailray-cells-'));
  data = await writeTinyDataset(join(folder, 'data'));
  await writeFile(join(folder, 'tiny.yaml'), TINY_RECIPE.replace('epochs: 3', 'epochs: 2'));
  cells = await planned('[bce, asl]');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs the cells and tells what happened, in order. @param steps sees every step */
async function run(
  out: string,
  chosen: readonly Cell[] = cells,
  { steps, signal }: { steps?: (cell: Cell, step: number) => void; signal?: AbortSignal } = {},
): Promise<string[]> {
  const log: string[] = [];
  const listen: CellListener = (event) => {
    const { cell } = event;
    if (event.kind === 'skipped') log.push(`${cell.name} skipped: ${event.reason}`);
    if (event.kind === 'run' && event.event.kind === 'step') steps?.(cell, event.event.step);
    if (event.kind === 'ended') log.push(`${cell.name} ${event.summary.status}`);
    if (event.kind === 'failed') log.push(`${cell.name} failed: ${event.error.message}`);
  };
  await runCells(out, chosen, {
    device: await testDevice(),
    cache: out,
    signal: signal ?? new AbortController().signal,
    listeners: [listen],
  });
  return log;
}

describe('runs of a comparison', () => {
  test('that were stopped go on, and end as those that never were', async () => {
    const [whole, parted] = [await temporaryFolder(), await temporaryFolder()];
    expect(await run(whole)).toEqual([
      'bce-s0 finished',
      'asl-s0 finished',
      'bce-s1 finished',
      'asl-s1 finished',
    ]);
    const stop = new AbortController();
    const steps = ({ name }: Cell, step: number) => void (name === 'asl-s0' && step === 5 && stop.abort());
    expect(await run(parted, cells, { steps, signal: stop.signal })).toEqual([
      'bce-s0 finished',
      'asl-s0 stopped',
    ]);
    const [, second] = cells;
    expect(await cellState(runOf(parted, second!), second!)).toBe('stopped');
    expect((await run(parted)).slice(0, 2)).toEqual(['bce-s0 skipped: finished already', 'asl-s0 finished']);
    for (const cell of cells) {
      const [a, b] = [whole, parted].map((out) => readFile(runOf(out, cell).predictions, 'utf8'));
      expect(await b).toBe(await a);
    }
  });

  test('are left to the process that holds them, and one that fails stops no other', async () => {
    const out = await temporaryFolder();
    const release = await runOf(out, cells[0]!).lock();
    const steps = ({ name }: Cell) => {
      if (name === 'asl-s0') throw new DivergedError(1, 'step 1: the loss is NaN');
    };
    const log = await run(out, cells.slice(0, 3), { steps });
    await release();
    expect(log).toEqual([
      expect.stringMatching(/^bce-s0 skipped: .*is being written by process/),
      expect.stringMatching(/^asl-s0 failed: step 1: the loss is NaN/),
      'bce-s1 finished',
    ]);
  });

  test('start from one commit of weights on a hub, whatever becomes of the branch', async () => {
    const hub = await FakeHub.start();
    const [first] = cells;
    const source = await temporaryFolder();
    await run(source, [first!]);
    const weights = await readFile(runOf(source, first!).best);
    const commit = hub.commit({ 'model.safetensors': weights });
    const named = (await planned('[bce, asl]', 'model.weights=hf-hub:timm/tiny')).slice(0, 3);
    const out = await temporaryFolder();
    const moved: string[] = [];
    const steps = (cell: Cell, step: number) => {
      if (step === 1) moved.push(hub.commit({ 'model.safetensors': weights, [cell.name]: 'later' }));
    };
    expect(await run(out, named.slice(0, 2), { steps })).toEqual(['bce-s0 finished', 'asl-s0 finished']);
    // another process, or another day
    expect(await run(out, named, { steps })).toEqual([
      'bce-s0 skipped: finished already',
      'asl-s0 skipped: finished already',
      'bce-s1 finished',
    ]);
    expect(moved).not.toContain(commit);
    for (const cell of await pinnedCells(out, named)) {
      expect((await runOf(out, cell).recipe()).model.weights).toBe(`hf-hub:timm/tiny@${commit}`);
      expect(await cellState(runOf(out, cell), cell)).toBe('finished');
    }
  });

  test('of other settings are found before anything is trained', async () => {
    const out = await temporaryFolder();
    await run(out, cells.slice(3));
    const others = (await planned('[bce, {name: asl, gammaNeg: 1}]')).slice(0, 4);
    await expect(run(out, others)).rejects.toThrow(
      /asl-s1 holds a run of other settings: loss\.gammaNeg: 4 → 1/,
    );
    expect(await cellState(runOf(out, others[0]!), others[0]!)).toBe('absent');
  });
});

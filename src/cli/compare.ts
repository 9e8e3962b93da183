#!/usr/bin/env node
/** `compare`: variants of a recipe × seeds, trained as ordinary runs, and what can be said of their differences. */
import { mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { InvalidArgumentError } from 'commander';
import { planComparison } from '../compare/comparison-plan.js';
import { conclusions } from '../compare/comparison-table.js';
import { pinnedCells } from '../compare/pinned-weights.js';
import { type CellListener, cellState, runCells, runOf, type Shard, shardOf } from '../compare/run-cells.js';
import { writeComparison } from '../compare/write-comparison.js';
import { openDevice } from '../platform/node/open-device.js';
import { writeModelCard } from '../report/model-card.js';
import { cacheFolder } from '../storage/cache-folder.js';
import { visibleText } from '../storage/visible-text.js';
import { padCell } from '../text/padded-table.js';
import type { RunListener } from '../train/run/run-event.js';
import { command, runCommand } from './command.js';
import { INTERRUPTED, Interrupt } from './interrupt.js';
import { addCacheOptions, type CacheFlags, pictureCache } from './options/cache-option.js';
import { adapterOption, resamplesOption, setOption } from './options/common-options.js';
import { addHubOption, type HubFlags, hubOptions } from './options/hub-option.js';
import { addKernelOptions, type KernelFlags, kernelTuning } from './options/kernel-options.js';
import { ProgressLine, trainingDisplay } from './training-display.js';

interface CompareFlags extends KernelFlags, HubFlags, CacheFlags {
  readonly out?: string;
  readonly set: string[];
  readonly shard?: Shard;
  readonly adapter?: string;
  readonly report?: boolean;
  readonly list?: boolean;
  readonly resamples?: number;
}

const program = command('compare')
  .argument('<file>', 'what to compare (YAML); see recipes/longtail.yaml')
  .option('--out <dir>', 'where runs and results lie (default: runs/<name of the file>)')
  .option('--shard <i/n>', 'train every n-th run only, from the i-th (0 ≤ i < n): for job arrays', shard)
  .option('--report', 'train nothing: compare the runs that are finished')
  .option('--list', 'train nothing: list the runs and how far they are')
  .addOption(setOption('all variants', 'data.path=my/labels.csv'))
  .addOption(resamplesOption(' (default: 1000, or more for many variants)'))
  .addOption(adapterOption())
  .option('--quiet', 'print only the result')
  .action(compare);
addCacheOptions(addHubOption(addKernelOptions(program)));

async function compare(file: string, flags: CompareFlags): Promise<void> {
  const planned = await planComparison(file, flags.set);
  const out = flags.out ?? join('runs', basename(file).replace(/\.ya?ml$/i, ''));
  if (flags.list) {
    for (const cell of await pinnedCells(out, planned.cells)) {
      process.stdout.write(`${padCell(await cellState(runOf(out, cell), cell), 10)}${cell.name}\n`);
    }
    return;
  }
  if (!flags.report && !(await train(planned.cells, out, flags))) return;
  const plan = { ...planned, cells: await pinnedCells(out, planned.cells) };
  const left: string[] = [];
  for (const cell of plan.cells) {
    if ((await cellState(runOf(out, cell), cell)) !== 'finished') left.push(cell.name);
  }
  if (left.length > 0 && !flags.report) {
    process.stdout.write(
      `${left.length} of ${plan.cells.length} runs are not finished yet. When they are: npx tailray compare ${file} --out ${out} --report\n`,
    );
    return;
  }
  const settings = flags.set.map((text) => ` --set ${text}`).join('');
  const written = await writeComparison(out, plan, {
    command: `npx tailray compare ${file}${settings}`,
    resamples: flags.resamples,
  });
  if (written === null) {
    process.stdout.write(
      `None of the ${plan.cells.length} runs in ${out} is finished: nothing to compare.\n`,
    );
    process.exitCode = 2;
    return;
  }
  process.stdout.write(`${flags.quiet ? conclusions(written.comparison).join('\n') : written.markdown}\n`);
  process.stdout.write(`written    ${written.files.join(', ')}\n`);
}

/** @returns false when it was interrupted */
async function train(
  cells: Awaited<ReturnType<typeof planComparison>>['cells'],
  out: string,
  flags: CompareFlags,
): Promise<boolean> {
  const progress = new ProgressLine(flags.quiet ?? false);
  const say = (text: string) => {
    progress.stop();
    if (!flags.quiet) process.stdout.write(`${text}\n`);
  };
  const mine = flags.shard ? shardOf(cells, flags.shard) : cells;
  await mkdir(out, { recursive: true });
  const interrupt = new Interrupt(
    'Stopping: the step in hand is finished and saved. Once more to exit at once.',
  );
  try {
    const device = await openDevice({ adapter: flags.adapter });
    say(`adapter    ${device.description}`);
    interrupt.protect();
    try {
      await runCells(out, mine, {
        device,
        cache: cacheFolder(),
        pictures: pictureCache(flags),
        hub: hubOptions(flags, progress),
        tuning: kernelTuning(device, flags),
        signal: interrupt.signal,
        listeners: [cellDisplay(out, flags, say), cardWriter(out)],
      });
    } finally {
      device.close();
    }
  } finally {
    progress.stop();
    interrupt.release();
  }
  if (interrupt.signal.aborted) process.exitCode = INTERRUPTED;
  return !interrupt.signal.aborted;
}

function cardWriter(out: string): CellListener {
  return async (event) => {
    if (event.kind !== 'ended' || event.summary.status !== 'finished') return;
    await writeModelCard(runOf(out, event.cell).best, { force: true });
  };
}

/** Prints what becomes of each run. */
function cellDisplay(out: string, flags: CompareFlags, say: (text: string) => void): CellListener {
  let display: RunListener | undefined;
  return (event) => {
    const { cell } = event;
    switch (event.kind) {
      case 'skipped':
        return say(`skipped    ${cell.name}: ${event.reason}`);
      case 'begun':
        say(`\nrun        ${cell.name}, ${event.place + 1} of ${event.total}: ${runOf(out, cell).path}`);
        display = trainingDisplay({ quiet: flags.quiet ?? false, explain: 'top' });
        return;
      case 'run':
        return display?.(event.event);
      case 'failed':
        process.stderr.write(visibleText(`not done   ${cell.name}: ${event.error.message}\n`));
        process.exitCode = 2;
    }
  };
}

function shard(text: string): Shard {
  const [, index, count] = /^(\d+)\/(\d+)$/.exec(text)?.map(Number) ?? [];
  if (index === undefined || count === undefined || index >= count) {
    throw new InvalidArgumentError('Expected i/n with 0 ≤ i < n, such as 0/4.');
  }
  return { index, count };
}

await runCommand(program);

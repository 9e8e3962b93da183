#!/usr/bin/env node
/** `compare`: variants of a recipe × seeds, trained as ordinary runs, and what can be said of their differences. */
import { mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { InvalidArgumentError } from 'commander';
import { planComparison } from '../compare/comparison-plan.js';
import { conclusions } from '../compare/comparison-table.js';
import { cellState, runCells, runOf, type Shard, shardOf } from '../compare/run-cells.js';
import { writeComparison } from '../compare/write-comparison.js';
import { openDevice } from '../platform/node/open-device.js';
import { writeModelCard } from '../report/model-card.js';
import { cacheFolder } from '../storage/cache-folder.js';
import { visibleText } from '../storage/visible-text.js';
import { providePhantoms } from '../train/run/phantom-source.js';
import { command, runCommand } from './command.js';
import { INTERRUPTED, Interrupt } from './interrupt.js';
import { addKernelOptions, type KernelFlags, kernelTuning } from './kernel-options.js';
import { positiveNumber } from './number-option.js';
import { trainingDisplay } from './training-display.js';

interface CompareFlags extends KernelFlags {
  readonly out?: string;
  readonly set: string[];
  readonly shard?: Shard;
  readonly adapter?: string;
  readonly report?: boolean;
  readonly list?: boolean;
  readonly resamples?: number;
}

const program = addKernelOptions(
  command('compare', 'Train variants of a recipe with several seeds, and say which differences hold.'),
)
  .argument('<file>', 'what to compare (YAML); see recipes/longtail.yaml')
  .option('--out <dir>', 'where runs and results lie (default: runs/<name of the file>)')
  .option('--shard <i/n>', 'train every n-th run only, from the i-th (0 ≤ i < n): for job arrays', shard)
  .option('--report', 'train nothing: compare the runs that are finished')
  .option('--list', 'train nothing: list the runs and how far they are')
  .option(
    '--set <key=value>',
    'change one setting of all variants, e.g. data.path=my/labels.csv; repeatable',
    (text: string, before: string[]) => [...before, text],
    [],
  )
  .option('--resamples <n>', 'bootstrap draws of patients (default 1000)', positiveNumber)
  .option('--adapter <name>', 'GPU to use (default: TAILRAY_ADAPTER, else the best; see devices)')
  .option('--quiet', 'print only the result')
  .action(compare);

async function compare(file: string, flags: CompareFlags): Promise<void> {
  const plan = await planComparison(file, flags.set);
  const out = flags.out ?? join('runs', basename(file).replace(/\.ya?ml$/i, ''));
  if (flags.list) {
    for (const cell of plan.cells) {
      process.stdout.write(`${(await cellState(runOf(out, cell), cell)).padEnd(10)}${cell.name}\n`);
    }
    return;
  }
  if (!flags.report && !(await train(plan.cells, out, flags))) return;
  const left: string[] = [];
  for (const cell of plan.cells) {
    if ((await cellState(runOf(out, cell), cell)) !== 'finished') left.push(cell.name);
  }
  if (left.length > 0 && !flags.report) {
    process.stdout.write(
      `${left.length} of ${plan.cells.length} runs are not finished yet. When they are: compare ${file} --out ${out} --report\n`,
    );
    return;
  }
  const settings = flags.set.map((text) => ` --set ${text}`).join('');
  const written = await writeComparison(out, plan, {
    command: `node dist/cli/compare.js ${file}${settings}`,
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
  const say = (text: string) => {
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
        dataPath: async (recipe) =>
          recipe.data.path ?? (await providePhantoms(recipe, { cache: cacheFolder() })),
        tuning: kernelTuning(device, flags),
        signal: interrupt.signal,
        observer: {
          onSkipped: (cell, reason) => say(`skipped    ${cell.name}: ${reason}`),
          onBegin(cell, place, total) {
            say(`\nrun        ${cell.name}, ${place + 1} of ${total}: ${runOf(out, cell).path}`);
            return trainingDisplay({ recipe: cell.recipe, quiet: flags.quiet ?? false, explain: 'top' });
          },
          onFailed(cell, error) {
            process.stderr.write(visibleText(`not done   ${cell.name}: ${error.message}\n`));
            process.exitCode = 2;
          },
          async onEnd(cell, summary) {
            if (summary.status === 'finished') await writeModelCard(runOf(out, cell).best, { force: true });
          },
        },
      });
    } finally {
      device.close();
    }
  } finally {
    interrupt.release();
  }
  if (interrupt.signal.aborted) process.exitCode = INTERRUPTED;
  return !interrupt.signal.aborted;
}

function shard(text: string): Shard {
  const [, index, count] = /^(\d+)\/(\d+)$/.exec(text)?.map(Number) ?? [];
  if (index === undefined || count === undefined || index >= count) {
    throw new InvalidArgumentError('Expected i/n with 0 ≤ i < n, such as 0/4.');
  }
  return { index, count };
}

await runCommand(program);

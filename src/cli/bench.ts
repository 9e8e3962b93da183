#!/usr/bin/env node
/** `bench`: how fast the kernels are here, beside what the adapter can do at all and beside other libraries. */
import { existsSync } from 'node:fs';
import { Option } from 'commander';
import { TailrayError } from '../engine/errors.js';
import { command, runCommand } from './command.js';
import type { BenchFlags, BenchModule } from './options/bench-flags.js';
import { adapterOption, OldSpelling } from './options/common-options.js';
import { addTuneOptions } from './options/kernel-options.js';
import { positiveNumber } from './options/number-option.js';

/** The benchmark was not built. */
class MissingBenchmarkError extends TailrayError {}

async function bench(flags: BenchFlags): Promise<void> {
  const entry = new URL('../bench/main.js', import.meta.url);
  if (!existsSync(entry)) {
    throw new MissingBenchmarkError(
      'the benchmark is not part of this installation: it is built with `npm run build` in a clone of tailray.',
    );
  }
  const { runBench } = (await import(entry.href)) as BenchModule;
  await runBench(flags);
}

/** `a b` and `a,b` are both two names. */
function several(text: string, before: readonly string[]): string[] {
  return [...before, ...text.split(',').filter((name) => name !== '')];
}

const out = new Option(
  '--out <dir>',
  'keep measurements and a picture in a folder below this one, e.g. bench/results',
);

const program = addTuneOptions(
  command('bench')
    .option(
      '--work <names...>',
      'only workloads whose name contains one of these, e.g. conv3x3 or depthwise/dW',
      several,
      [],
    )
    .option(
      '--against <peers...>',
      'only these libraries, or none (default: all that are installed)',
      several,
      [],
    )
    .option('--rounds <n>', 'timed rounds of each workload', positiveNumber, 5)
    .addOption(adapterOption())
    .option('--json', 'print one JSON object a line instead of the table')
    .option('--scaling', 'only the training step of ResNet-18, at growing batches and pictures')
    .addOption(out)
    .addOption(new OldSpelling('--save <dir>', out))
    .option('--within <seconds>', 'begin no workload after so many seconds', positiveNumber)
    .option(
      '--table',
      'write the tables of README.md and docs/benchmark.md from kept results; measure nothing',
    )
    .option('--list', 'list the workloads and measure nothing')
    .action(bench),
);

await runCommand(program);

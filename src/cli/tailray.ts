#!/usr/bin/env node
/** `tailray`: every command under its name, and one help page. Only the module of the command asked for is loaded. */
import { tailrayVersion } from '../storage/version.js';
import { parser, runCommand } from './command.js';
import { COMMANDS, type CommandName, isCommandName } from './commands.js';

/** A command's module runs when it is imported, on the words in `process.argv`. */
const MODULES: Record<CommandName, () => Promise<unknown>> = {
  synth: () => import('./synth.js'),
  inspect: () => import('./inspect.js'),
  train: () => import('./train.js'),
  compare: () => import('./compare.js'),
  models: () => import('./models.js'),
  losses: () => import('./losses.js'),
  runs: () => import('./runs.js'),
  evaluate: () => import('./evaluate.js'),
  predict: () => import('./predict.js'),
  'explain-image': () => import('./explain-image.js'),
  ladder: () => import('./ladder.js'),
  average: () => import('./average.js'),
  zeroshot: () => import('./zeroshot.js'),
  submission: () => import('./submission.js'),
  report: () => import('./report.js'),
  import: () => import('./import.js'),
  export: () => import('./export.js'),
  devices: () => import('./devices.js'),
  bench: () => import('./bench.js'),
};

const program = parser('tailray')
  .description(
    'Train and run long-tailed, multi-label chest X-ray classifiers on any GPU that WebGPU reaches.',
  )
  .usage('<command> [options]')
  .version(tailrayVersion, '--version', 'print the version')
  .helpCommand(false)
  .addHelpText('after', '\ntailray <command> --help tells the options of a command.');

for (const [name, { group, summary }] of Object.entries(COMMANDS)) {
  program.command(name).description(summary).helpGroup(group);
}

// `help train` is `train --help`
if (process.argv[2] === 'help')
  process.argv.splice(2, Number.POSITIVE_INFINITY, ...process.argv.slice(3, 4), '--help');
const name = process.argv[2] ?? '';
if (isCommandName(name)) {
  process.argv.splice(2, 1);
  await MODULES[name]();
} else {
  await runCommand(program);
}

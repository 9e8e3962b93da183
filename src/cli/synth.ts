#!/usr/bin/env node
/** `synth`: draws a labelled phantom data set, or a contact sheet of all findings. */
import { writeFile } from 'node:fs/promises';
import { SingleBar } from 'cli-progress';
import { InvalidArgumentError } from 'commander';
import type { CaseOptions } from '../phantom/cases.js';
import { drawContactSheet } from '../phantom/contact-sheet.js';
import { type DatasetSummary, explainWriteError, writePhantomDataset } from '../phantom/dataset.js';
import { PhantomOptionsError } from '../phantom/errors.js';
import { paddedTable } from '../text/padded-table.js';
import { command, runCommand } from './command.js';
import { INTERRUPTED, Interrupt } from './interrupt.js';
import { positiveNumber, wholeNumber } from './options/number-option.js';

interface SynthFlags {
  readonly out?: string;
  readonly count: number;
  readonly size: number;
  readonly seed: number;
  readonly imbalance: number;
  readonly minPositives: number;
  readonly views: string;
  readonly laterals?: number;
  readonly labelNoise: number;
  readonly unknown: number;
  readonly testFraction: number;
  readonly ood: boolean;
  readonly masks: boolean;
  readonly contactSheet?: string;
  readonly force: boolean;
}

const MIXED_VIEWS_LATERALS = 0.2;

const program = command('synth')
  .option('--out <dir>', 'directory to make')
  .option('--count <n>', 'images of training and test together', positiveNumber, 1600)
  .option('--size <pixels>', 'side of the images', positiveNumber, 256)
  .option('--seed <n>', 'the same seed gives the same bytes', wholeNumber, 7)
  .option('--imbalance <ratio>', 'most common over rarest class', number, 1076)
  .option('--min-positives <n>', 'least training positives of every class', wholeNumber, 0)
  .option('--views <kind>', 'frontal (PA and AP) or mixed (a fifth lateral)', 'frontal')
  .option('--laterals <share>', 'share of lateral views, overrides --views', number)
  .option('--label-noise <share>', 'share of training positives missed, and as many false ones', number, 0)
  .option('--unknown <share>', 'share of training labels left blank', number, 0)
  .option('--test-fraction <share>', 'share of patients held out for test.csv', number, 0.2)
  .option('--ood', 'add images of the six unseen findings (zeroshot.csv)', false)
  .option('--masks', 'write where each focal finding is: masks/<finding>/<image>', false)
  .option('--contact-sheet <file>', 'draw every finding into one labelled PNG; needs no --out')
  .option('--force', 'replace an older phantom data set', false)
  .action(synthesize);

async function synthesize(flags: SynthFlags): Promise<void> {
  if (flags.out === undefined && flags.contactSheet === undefined) {
    throw new PhantomOptionsError('nothing to do: give --out DIR for a data set or --contact-sheet FILE');
  }
  if (flags.contactSheet !== undefined) await writeContactSheet(flags.contactSheet, flags.seed);
  if (flags.out !== undefined) await writeDataset(flags.out, flags);
}

async function writeContactSheet(file: string, seed: number): Promise<void> {
  try {
    await writeFile(file, drawContactSheet({ seed }));
  } catch (error) {
    throw explainWriteError(error, file, 0, 1);
  }
  process.stdout.write(`contact sheet of all findings: ${file}\n`);
}

async function writeDataset(out: string, flags: SynthFlags): Promise<void> {
  const options: CaseOptions = {
    count: flags.count,
    seed: flags.seed,
    imbalance: flags.imbalance,
    minPositives: flags.minPositives,
    laterals: lateralShare(flags),
    labelNoise: flags.labelNoise,
    unknown: flags.unknown,
    testFraction: flags.testFraction,
    ood: flags.ood,
  };
  const bar = process.stderr.isTTY
    ? new SingleBar({
        format: 'drawing {bar} {value}/{total} images, {eta_formatted} left',
        hideCursor: true,
      })
    : undefined;
  const interrupt = new Interrupt('Stopping; nothing will be left behind.');
  interrupt.protect();
  let started = false;
  try {
    const { size, masks, force } = flags;
    const dataset = { ...options, out, size, masks, force, signal: interrupt.signal };
    const summary = await writePhantomDataset(dataset, (done, total) => {
      if (!started) bar?.start(total, 0);
      started = true;
      bar?.update(done);
    });
    bar?.stop();
    printSummary(summary);
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    process.exitCode = INTERRUPTED;
  } finally {
    bar?.stop();
    interrupt.release();
  }
}

function lateralShare(flags: SynthFlags): number {
  if (flags.views !== 'frontal' && flags.views !== 'mixed') {
    throw new PhantomOptionsError(`--views must be frontal or mixed, got ${flags.views}`);
  }
  return flags.laterals ?? (flags.views === 'mixed' ? MIXED_VIEWS_LATERALS : 0);
}

function printSummary({ out, images, classes }: DatasetSummary): void {
  const rows = [...classes]
    .sort((a, b) => b.train - a.train)
    .map(({ name, train, test, group }) => [name, String(train), String(test), group]);
  const lines = paddedTable([['finding', 'train', 'test', 'group'], ...rows], {
    right: (column) => column === 1 || column === 2,
    widths: [0, 5, 5],
  });
  process.stdout.write(`${lines.join('\n')}\n`);
  const zeroshot = images.zeroshot > 0 ? `, ${images.zeroshot} zero-shot` : '';
  process.stdout.write(`${images.train} training and ${images.test} test images${zeroshot} in ${out}\n`);
  process.stdout.write('SIMULATED images of no real person: never for clinical use.\n');
}

function number(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('It must be a number.');
  return value;
}

await runCommand(program);

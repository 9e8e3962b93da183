#!/usr/bin/env node
/** `evaluate`: how good a run, a checkpoint or a file of predictions is, class by class and with intervals, or how two differ. */
import { Option } from 'commander';
import type { Device } from '../engine/device.js';
import { openDevice } from '../platform/node/open-device.js';
import { adjustPredictions, describeAdjustment } from '../predict/adjust-predictions.js';
import { compareEvaluations } from '../predict/compare-evaluations.js';
import { evaluatePredictions } from '../predict/evaluation.js';
import type { PartName } from '../predict/evaluation-data.js';
import { EvaluationError } from '../predict/labelled-scores.js';
import { type Predictions, requireFreeFile } from '../predict/predictions.js';
import { chooseTau, classifierRows, tauNormalise } from '../predict/tau-normalise.js';
import { readThresholds, fitThresholds as thresholdsOf, writeThresholds } from '../predict/thresholds.js';
import { type EvaluationSubject, openEvaluation } from '../report/evaluation-subject.js';
import { writeAtomically } from '../storage/atomic-file.js';
import { cacheFolder } from '../storage/cache-folder.js';
import { decimals } from '../text/numbers.js';
import type { Line } from '../text/styled.js';
import { command, runCommand } from './command.js';
import { addCacheOptions, type CacheFlags, pictureCache } from './options/cache-option.js';
import {
  adapterOption,
  batchSizeOption,
  imagesOption,
  logitAdjustOption,
  partOption,
  resamplesOption,
  tauNormOption,
} from './options/common-options.js';
import { shareOrAuto } from './options/number-option.js';
import { formatCompared } from './text/compared-table.js';
import { formatEvaluation } from './text/evaluation-table.js';
import { terminalOf, writeLines } from './text/terminal.js';
import { ProgressLine } from './training-display.js';

interface EvaluateFlags extends CacheFlags {
  readonly data?: string;
  readonly images?: string;
  readonly part?: PartName;
  /** `true`: printed. */
  readonly json?: string | true;
  readonly resamples?: number;
  readonly batchSize: number;
  readonly logitAdjust?: number;
  readonly tauNorm?: number | 'auto';
  readonly thresholds?: string;
  readonly fitThresholds?: string;
  readonly adapter?: string;
  readonly strict?: boolean;
  readonly lenient?: boolean;
  readonly force?: boolean;
}

const program = command('evaluate')
  .argument('<subject>', 'a run directory, a checkpoint (.safetensors), or a predictions.csv')
  .argument('[other]', 'another one: both are held against each other on the images that both have')
  .option('--data <path>', 'labelled table or folder (a run directory knows its own)')
  .addOption(imagesOption())
  .addOption(partOption('test if there is one'))
  .option('--json [file]', 'print everything as JSON, or write it to a file and print the table')
  .addOption(resamplesOption().default(undefined, '1000, or more where two are compared by many classes'))
  .addOption(batchSizeOption())
  .addOption(logitAdjustOption())
  .addOption(tauNormOption(shareOrAuto, 'auto: best F1 on validation'))
  .option('--thresholds <file>', 'F1 at the thresholds of this file instead of 0.5')
  .addOption(
    new Option(
      '--fit-thresholds <file>',
      "write each class's threshold of best F1 on this part (default: validation)",
    ).conflicts('thresholds'),
  )
  .addOption(adapterOption())
  .option('--strict', 'refuse data with images that cannot be used')
  .option('--lenient', 'score damaged images as far as they decode; --strict then refuses only the others')
  .option('--force', 'replace the file in --fit-thresholds')
  .action(evaluate);
addCacheOptions(program);

async function evaluate(subject: string, other: string | undefined, flags: EvaluateFlags): Promise<void> {
  // JSON on stdout stays alone there
  const remarks = flags.json === true ? process.stderr : process.stdout;
  const say = (text: string) => remarks.write(`${text}\n`);
  const { fitThresholds, thresholds: file, resamples } = flags;
  if (fitThresholds !== undefined && flags.part === 'test') {
    throw new EvaluationError(
      '--fit-thresholds: thresholds chosen on the test part would flatter it: choose them with --part validation.',
    );
  }
  if (fitThresholds !== undefined && other !== undefined) {
    throw new EvaluationError(
      '--fit-thresholds is for one model: evaluate each alone to fit its thresholds.',
    );
  }
  if (fitThresholds !== undefined && !flags.force) await requireFreeFile(fitThresholds, '--fit-thresholds');
  const progress = new ProgressLine(flags.json === true);
  let device: Device | undefined;
  const open = async () => {
    progress.stop();
    device ??= await openDevice({ adapter: flags.adapter });
    return device;
  };
  try {
    const openSubject = async (path: string) => {
      const request = {
        ...flags,
        part: flags.part ?? (fitThresholds === undefined ? undefined : 'validation'),
        subject: path,
        cache: cacheFolder(),
        scoring: {
          pictures: pictureCache(flags),
          batchSize: flags.batchSize,
          strict: flags.strict,
          lenient: flags.lenient,
          onRead: (done: number, total: number) => progress.show('reading', done, total, () => 'images'),
          onScored: (done: number, total: number) => progress.show('scoring', done, total, () => 'images'),
        },
      };
      const given = await openEvaluation(open, request);
      const opened =
        flags.tauNorm === undefined
          ? given
          : await normalised(given, { wanted: flags.tauNorm, say }, () =>
              openEvaluation(open, { ...request, part: 'validation' }),
            );
      progress.stop();
      const { logitAdjust } = flags;
      return logitAdjust === undefined
        ? opened
        : { ...opened, predictions: adjusted(opened, logitAdjust, say) };
    };
    const first = await openSubject(subject);
    const { predictions, parts, part, trainingPrevalence } = first;
    const thresholds = file === undefined ? undefined : await readThresholds(file, predictions.classes);
    if (thresholds && thresholds.unfitted.length > 0) {
      say(`without a threshold of their own, at 0.5: ${thresholds.unfitted.join(', ')}`);
    }
    const options = { thresholds: thresholds?.values, resamples };
    // validation's scores would have to be changed alike
    const plain = flags.tauNorm === undefined && flags.logitAdjust === undefined;
    const print = async (result: object, lines: readonly (Line | string)[]) => {
      const json = `${JSON.stringify(result, null, 2)}\n`;
      if (flags.json === true) process.stdout.write(json);
      else writeLines(lines);
      if (typeof flags.json === 'string') await writeAtomically(flags.json, json);
    };
    if (other !== undefined) {
      const second = await openSubject(other);
      const compared = compareEvaluations(first, second, options);
      await print({ first: subject, second: other, parts: [part, second.part], ...compared }, [
        formatCompared(compared, `${subject}, part: ${part}`, `${other}, part: ${second.part}`),
      ]);
      return;
    }
    const evaluation = evaluatePredictions(predictions, parts, {
      trainingPrevalence,
      fitted: plain
        ? first.validation && thresholdsOf(first.validation.predictions, first.validation.parts)
        : undefined,
      ...options,
    });
    if (fitThresholds !== undefined) {
      await writeThresholds(fitThresholds, evaluation.perClass);
      say(`thresholds of best F1 on the ${part} part in ${fitThresholds}`);
    }
    await print({ subject, part, ...evaluation }, [
      `${subject}, part: ${part}`,
      ...formatEvaluation(evaluation, terminalOf()),
    ]);
  } finally {
    progress.stop();
    device?.close();
  }
}

/** @param openValidation what τ is chosen on */
async function normalised(
  subject: EvaluationSubject,
  { wanted, say }: { wanted: number | 'auto'; say: (text: string) => void },
  openValidation: () => Promise<EvaluationSubject>,
): Promise<EvaluationSubject> {
  if (!subject.checkpoint) {
    throw new EvaluationError(
      '--tau-norm needs a run or a checkpoint: predictions alone know no classifier.',
    );
  }
  const rows = classifierRows(subject.checkpoint);
  let tau = wanted;
  if (tau === 'auto') {
    const { predictions, parts } = await openValidation();
    const chosen = chooseTau(predictions, parts, rows);
    tau = chosen.tau;
    const curve = chosen.tried.map((each) => `${each.tau}: ${decimals(each.f1, 4)}`).join(', ');
    say(`macro F1 at 0.5 on validation by tau: ${curve}`);
  }
  say(`rows of the classifier normalised, tau ${tau}.`);
  return { ...subject, predictions: tauNormalise(subject.predictions, rows, tau) };
}

function adjusted(subject: EvaluationSubject, tau: number, say: (text: string) => void): Predictions {
  if (!subject.trainingPrevalence) {
    throw new EvaluationError(
      '--logit-adjust needs a run or a checkpoint: predictions alone know no class frequencies.',
    );
  }
  const result = adjustPredictions(subject.predictions, subject.trainingPrevalence, tau);
  say(describeAdjustment(tau, result));
  return result.predictions;
}

await runCommand(program);

import { decimals } from '../../text/numbers.js';
import { type ClassFact, classSummary, type ExaminedRun } from '../examine-run.js';
import { list, plain } from '../markdown.js';
import type { CardFacts } from './card-facts.js';

/** The intended use and its limits, as far as the numbers themselves say it. */
export function limits({ run, simulated }: CardFacts): string {
  const items = [
    'For research on long-tailed and multi-label classification: comparing methods, reproducing results, teaching.',
    'Not for diagnosis, triage or any decision about a person. It has not been validated for any clinical use.',
    SOURCE[String(simulated) as keyof typeof SOURCE],
    ...(run === null ? [UNKNOWN_TRAINING] : limitsOfRun(run)),
  ];
  return `## Intended use and limits\n\n${list(items)}`;
}

const UNKNOWN_TRAINING =
  'This card was written from the checkpoint alone: what it was trained and tested on, and how it does on each finding, ' +
  'are not known here.';

const SOURCE = {
  true: 'The phantoms are drawings: scores on them say nothing about radiographs of patients.',
  false:
    'Tested, if at all, on images of the same source as it was trained on: other hospitals, scanners and populations are unknown. ' +
    'Labels that were taken from reports by a program are often wrong, in training and in the test alike.',
  null: 'Whether it was trained on radiographs or on simulated images is not recorded in the checkpoint.',
} as const;

/** Fewer positives than this tell little about a class. */
const FEW = 10;

function limitsOfRun(run: ExaminedRun): string[] {
  const { primary, classes } = run;
  return [
    ...rareInTraining(classes),
    ...(primary === null
      ? ['**How it does on each class is missing:** the labels could not be read.']
      : rareInTest(primary, classes)),
    ...(primary !== null && Number.isFinite(primary.summary.macro.ece)
      ? [
          `Its probabilities are not calibrated: the expected calibration error on ${primary.name} is ${decimals(primary.summary.macro.ece)} (mean over classes, 15 bins).`,
        ]
      : []),
    ...run.missing.map(plain),
  ];
}

function rareInTraining(classes: readonly ClassFact[]): string[] {
  const few = classes.filter(({ trainPositives }) => trainPositives !== null && trainPositives < FEW);
  if (few.length === 0) return [];
  return [
    `Fewer than ${FEW} positives in training: ${few.map((fact) => counts(fact.name, fact.trainPositives ?? 0)).join(', ')}.`,
  ];
}

function rareInTest(part: NonNullable<ExaminedRun['primary']>, classes: readonly ClassFact[]): string[] {
  const measured = classes.map((fact) => classSummary(part, fact));
  const none = measured.filter(({ positives }) => positives === 0);
  const few = measured.filter(({ positives }) => positives > 0 && positives < FEW);
  return [
    ...(none.length > 0
      ? [
          `No positives on ${part.name}, so not measured at all: ${none.map(({ name }) => plain(name)).join(', ')}.`,
        ]
      : []),
    ...(few.length > 0
      ? [
          `Fewer than ${FEW} positives on ${part.name}, so hardly measured: ${few.map(({ name, positives }) => counts(name, positives)).join(', ')}.`,
        ]
      : []),
  ];
}

function counts(name: string, positives: number): string {
  return `${plain(name)} (${positives})`;
}

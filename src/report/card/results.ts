import { count, decimals, NOTHING, percent } from '../../text/numbers.js';
import { type ClassFact, classSummary, type ExaminedRun, type PrimaryPart } from '../examine-run.js';
import { range } from '../format.js';
import { type Column, plain, table } from '../markdown.js';
import { partScores } from '../run-scores.js';
import type { CardFacts } from './card-facts.js';

/** How good it is: by frequency of the classes, and class by class, with intervals. */
export function resultsSection(facts: CardFacts): string {
  const { run, about } = facts;
  const parts = ['## Results'];
  if (run === null)
    parts.push(
      'Missing: the run directory was not at hand. How common each class was in training:',
      prevalences(about),
    );
  else {
    if (run.primary !== null && run.primary.groups.length > 0) parts.push(groups(run.primary));
    parts.push(classTable(run), legend(run));
    const other = run.primary?.name === 'test' ? partScores(run, 'validation') : null;
    if (other !== null) {
      parts.push(
        `On the validation part, which chose the epoch: macro mAP ${decimals(other.mAP)} (guess ${decimals(other.guess)}), macro AUROC ${decimals(other.auroc)}.`,
      );
    }
  }
  return parts.join('\n\n');
}

const BOUNDS = { head: 'head (above 10 %)', medium: 'medium (1–10 %)', tail: 'tail (below 1 %)' } as const;

function groups({ groups: measured, name }: PrimaryPart): string {
  const columns: Column[] = [
    { title: `by frequency in training, on ${name}` },
    ...['classes', 'mAP', '95 % interval', 'guess', 'AUROC'].map((title) => ({ title, number: true })),
  ];
  return table(
    columns,
    measured.map(({ name: group, classes, means, mAP }) => [
      BOUNDS[group],
      count(classes),
      decimals(means.mAP),
      range(mAP),
      decimals(means.prevalenceGuess),
      decimals(means.auroc),
    ]),
  );
}

function classTable(run: ExaminedRun): string {
  const part = run.primary?.name ?? 'test';
  const columns: Column[] = [
    { title: 'class' },
    { title: 'group' },
    ...['in training', 'training +', `${part} +`, 'AP', '95 % interval', 'AUROC', '95 % interval'].map(
      (title) => ({
        title,
        number: true,
      }),
    ),
  ];
  const row = (fact: ClassFact) => {
    const measured = run.primary === null ? null : classSummary(run.primary, fact);
    const interval = (metric: 'mAP' | 'auroc') => {
      const found = run.primary?.classIntervals[metric][fact.index];
      return found === undefined ? NOTHING : range(found);
    };
    return [
      plain(fact.name),
      fact.group ?? NOTHING,
      percent(fact.prevalence),
      count(fact.trainPositives),
      count(measured?.positives),
      decimals(measured?.ap),
      interval('mAP'),
      decimals(measured?.auroc),
      interval('auroc'),
    ];
  };
  return table(columns, run.classes.map(row));
}

function legend({ primary, classes }: ExaminedRun): string {
  const sentences = ['+: images that are labelled positive; a guess has the share of positives as its AP.'];
  if (primary === null) sentences.push('Measures per class are missing: the labels could not be read.');
  else
    sentences.push(
      'With fewer than 10 positives, an interval holds the true value less often than it says.',
      ...withoutInterval(primary, classes),
    );
  return sentences.join(' ');
}

/** `No interval of the AP: Hernia, Mass (one patient alone has positives).`, a sentence for each metric and reason. */
function withoutInterval({ classIntervals }: PrimaryPart, classes: readonly ClassFact[]): string[] {
  return (['mAP', 'auroc'] as const).flatMap((metric) => {
    const byReason = new Map<string, string[]>();
    for (const { name, index } of classes) {
      const reason = classIntervals[metric][index]?.whyMissing ?? null;
      if (reason !== null) byReason.set(reason, [...(byReason.get(reason) ?? []), plain(name)]);
    }
    const title = metric === 'mAP' ? 'AP' : 'AUROC';
    return Array.from(
      byReason,
      ([why, names]) => `No interval of the ${title}: ${names.join(', ')} (${why}).`,
    );
  });
}

function prevalences({ classes, prevalence }: CardFacts['about']): string {
  return table(
    [{ title: 'class' }, { title: 'in training', number: true }],
    classes.map((name, c) => [plain(name), percent(prevalence[c])]),
  );
}

import { count, counted, decimals, times } from '../../text/numbers.js';
import { describeLoss } from '../describe-run.js';
import { noInterval, range } from '../format.js';
import { plain, table } from '../markdown.js';
import { primaryScores } from '../run-scores.js';
import type { CardFacts } from './card-facts.js';
import { describeNetwork } from './network.js';

/** The part for readers who read nothing else: the kind of model, and its two main numbers. */
export function introduction(facts: CardFacts): string {
  const { name, about, run } = facts;
  return [
    `# ${plain(name)}`,
    warning(facts),
    `A ${describeNetwork(facts)} that gives each of ${counted(about.classes.length, 'finding')} in a chest radiograph a probability.${run === null ? '' : ` ${trained(facts)}`}`,
    numbers(facts),
  ].join('\n\n');
}

function warning({ simulated }: CardFacts): string {
  const lines = ['**Research software. Not a medical device: not for clinical use.**'];
  if (simulated) {
    lines.push(
      '**Simulated data:** the images that it was trained and measured on were drawn by a program. It knows nothing of patients.',
    );
  }
  return lines.map((line) => `> ${line}`).join('\n>\n');
}

function trained({ run }: CardFacts): string {
  if (run === null) return '';
  const { final, summary } = run.record;
  const train = summary?.data.train;
  if (train === undefined) return `Trained with the loss ${plain(describeLoss(final))}.`;
  const patients = train.patients > 0 ? ` of ${counted(train.patients, 'patient')}` : '';
  const images = `${count(train.images - train.unreadable)} ${run.simulated ? 'simulated images' : 'images'}`;
  return `Trained on ${images}${patients} with the loss ${plain(describeLoss(final))}.`;
}

function numbers({ about, run }: CardFacts): string {
  const scores = run === null ? null : primaryScores(run);
  if (run === null || scores === null) {
    const { mAP, auroc } = about.metrics;
    return (
      `On its validation images it had a macro mAP of ${decimals(mAP)} and a macro AUROC of ${decimals(auroc)}, by which ` +
      'its epoch was chosen. Nothing else was measured, or the run’s other files were not at hand.'
    );
  }
  const { part, mAP, auroc, guess, intervals } = scores;
  const interval = (metric: 'mAP' | 'auroc') =>
    intervals === null ? 'missing: no labels' : (noInterval(intervals[metric]) ?? range(intervals[metric]));
  const rows = [
    ['macro mAP', decimals(mAP), interval('mAP'), `${decimals(guess)} (${times(mAP, guess)})`],
    ['macro AUROC', decimals(auroc), interval('auroc'), '0.500'],
  ];
  const columns = [
    { title: `on the ${part} part` },
    { title: 'value', number: true },
    { title: '95 % interval', number: true },
    { title: 'a guess by prevalence', number: true },
  ];
  return `${table(columns, rows)}\n\n${reading(run, part)}`;
}

function reading({ primary }: NonNullable<CardFacts['run']>, part: string): string {
  const sentences = [
    part === 'test'
      ? 'Test images took no part in training or in choosing the epoch.'
      : '**The validation part chose the epoch, so these scores are somewhat too good; there is no test part.**',
  ];
  if (primary !== null) {
    const drawn =
      primary.drawn === 'patients' ? 'patients' : 'images (the table names no patients: too narrow)';
    sentences.push(
      `Intervals: BCa bootstrap over ${drawn}, ${count(primary.intervals.mAP.resamples)} draws from ${counted(primary.n, 'image')}; of the AUROC of one class DeLong's.`,
      'Where classes have few positives, an interval holds the true value less often than it says.',
    );
  }
  return sentences.join(' ');
}

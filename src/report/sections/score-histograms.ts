import { count } from '../../text/numbers.js';
import { type ClassFact, classColumn, type ExaminedRun, type PrimaryPart } from '../examine-run.js';
import { score } from '../format.js';
import { type Html, html } from '../html.js';
import { plotFigure } from '../plots/plot-figure.js';
import { scoreBins, scoreEdges, scoreHistogram } from '../plots/score-histogram.js';
import { thresholdOf } from '../thresholds.js';
import type { Section } from './section.js';

/** How far the scores of positives and negatives lie apart, class by class. */

const BINS = 28;

export function scoreHistograms(run: ExaminedRun): Section | null {
  const { primary, classes } = run;
  if (primary === null) return null;
  if (primary.scores.some((value) => value < 0 || value > 1)) return null;
  const edges = scoreEdges(primary.scores, BINS);
  const content = html`<p class="fine">On ${primary.name}: above the line the images labelled with the class, below it those that are not, each as shares of their own number: the tallest bars are equally tall. The scale is that of log odds, the same for all. <span class="guess-key"></span> the score from which on an image counts as found.</p>
<div class="histograms">${classes.map((fact) => figure(run, primary, fact, edges))}</div>`;
  return { key: 'scores', title: 'Scores of positives and negatives', content };
}

function figure(run: ExaminedRun, part: PrimaryPart, fact: ClassFact, edges: readonly number[]): Html {
  const { scores, targets } = classColumn(part, fact);
  const bins = scoreBins(scores, targets, edges);
  const { value: threshold } = thresholdOf(run, fact);
  return plotFigure({
    caption: fact.name,
    plot: scoreHistogram(bins, { threshold, style: fact.group ?? 'none', name: fact.name }),
    numbers: {
      columns: [{ title: 'Scores from' }, { title: 'to' }, { title: 'Positives' }, { title: 'Negatives' }],
      rows: bins
        .filter(({ positives, negatives }) => positives + negatives > 0)
        .map((bin) => [score(bin.low), score(bin.high), count(bin.positives), count(bin.negatives)]),
    },
  });
}

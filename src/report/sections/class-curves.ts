import { scaleLinear } from 'd3-scale';
import { type ReliabilityBin, reliability } from '../../eval/metrics/calibration-error.js';
import { precisionRecallCurve } from '../../eval/metrics/precision-recall.js';
import { rocCurve } from '../../eval/metrics/roc.js';
import { count, counted, decimals } from '../../text/numbers.js';
import {
  type ClassFact,
  classColumn,
  classSummary,
  type EvaluatedPart,
  type ExaminedRun,
  GROUPS,
} from '../examine-run.js';
import { type Html, html } from '../html.js';
import { type Axis, frame } from '../plots/frame.js';
import { diagonalMark, dotMark, lineMark, type Point, referenceMark } from '../plots/marks.js';
import { type Numbers, plotFigure } from '../plots/plot-figure.js';
import { spaced } from '../plots/thin.js';
import type { Section } from './section.js';

/** Ranking and calibration of a few classes, two from each group, and the calibration of all labels together. */
export function classCurves({ primary, classes }: ExaminedRun): Section | null {
  if (primary === null) return null;
  const chosen = chooseClasses(classes, primary);
  const content = html`<div class="grid2">${pooledReliability(primary)}${labelCounts(primary)}</div>
<p class="fine">From each group, the two classes with the most positives on ${primary.name}. With few positives, a curve is a staircase of luck: their number stands above it.</p>
${chosen.map((fact) => classRow(fact, primary))}`;
  return { key: 'ranking', title: 'Ranking and calibration', content };
}

const PER_GROUP = 2;
const UNIT: readonly [number, number] = [0, 1];
/** In squares of the curves' plotting area: a step that no eye sees. */
const FINE = 0.004;

/** The best-populated classes of each group that have both outcomes; without groups, the best-populated of all. */
function chooseClasses(classes: readonly ClassFact[], part: EvaluatedPart): ClassFact[] {
  const able = classes
    .filter((fact) => Number.isFinite(classSummary(part, fact).auroc))
    .sort((a, b) => classSummary(part, b).positives - classSummary(part, a).positives);
  const grouped = GROUPS.flatMap((group) => able.filter((fact) => fact.group === group).slice(0, PER_GROUP));
  return grouped.length > 0 ? grouped : able.slice(0, GROUPS.length * PER_GROUP);
}

function classRow(fact: ClassFact, part: EvaluatedPart): Html {
  const { scores, targets } = classColumn(part, fact);
  const { ap, auroc, ece, prevalence, positives, known } = classSummary(part, fact);
  const style = fact.group ?? 'none';
  const { precision, recall } = precisionRecallCurve(scores, targets);
  const { falsePositiveRate, truePositiveRate } = rocCurve(scores, targets);
  const pairs = (a: Float64Array, b: Float64Array) =>
    spaced(
      Array.from(a, (value, i): Point => [value, b[i] ?? Number.NaN]),
      FINE,
    );
  const small = { width: 340, height: 200 };
  const precisionRecall = frame(
    {
      ...small,
      x: unitAxis('recall'),
      y: unitAxis('precision'),
      description: `Precision and recall of ${fact.name}`,
    },
    (area) => [referenceMark(area, prevalence, 'guess'), lineMark(area, pairs(recall, precision), style)],
  );
  const roc = frame(
    {
      ...small,
      x: unitAxis('false positive rate'),
      y: unitAxis('true positive rate'),
      description: `ROC curve of ${fact.name}`,
    },
    (area) => [diagonalMark(area), lineMark(area, pairs(falsePositiveRate, truePositiveRate), style)],
  );
  const bins = Number.isFinite(ece) ? reliability(scores, targets) : [];
  return html`<div class="class-row"><h4><span class="chip ${style}">${fact.group}</span> ${fact.name} <span class="muted">${counted(positives, 'positive')} of ${counted(known, 'image')}</span></h4>
<div class="grid3">
${plotFigure({
  caption: `Precision and recall, AP ${decimals(ap)}`,
  name: `Precision and recall, ${fact.name}`,
  plot: precisionRecall,
  numbers: pairsTable('Recall', 'Precision', recall, precision),
})}
${plotFigure({
  caption: `ROC, area ${decimals(auroc)}`,
  name: `ROC, ${fact.name}`,
  plot: roc,
  numbers: pairsTable('False positive rate', 'True positive rate', falsePositiveRate, truePositiveRate),
})}
${plotFigure({
  caption: `Reliability, ECE ${decimals(ece)}`,
  name: `Reliability, ${fact.name}`,
  plot: reliabilityPlot(bins, style, small, fact.name),
  numbers: binsTable(bins),
})}
</div></div>`;
}

function pooledReliability(part: EvaluatedPart): Html {
  const bins = pooledBins(part);
  const plot = reliabilityPlot(bins, 'series', { width: 440, height: 260 }, 'all labels');
  return plotFigure({
    caption: 'Reliability, the labels of all classes together',
    plot,
    numbers: binsTable(bins),
  });
}

/**
 * Frequency of positives over predicted probability; a dot's area grows with its number of labels. Both axes end where
 * the dots do: a rare class's are all near 0.
 */
function reliabilityPlot(
  bins: readonly ReliabilityBin[],
  style: string,
  size: { width: number; height: number },
  name: string,
): Html {
  const filled = bins.filter(({ count }) => count > 0);
  if (filled.length === 0) return html`<p class="muted">The scores are no probabilities.</p>`;
  const most = Math.max(...filled.map(({ count }) => count));
  const reach = Math.max(...filled.flatMap(({ meanScore, positiveRate }) => [meanScore, positiveRate]));
  const domain = [
    0,
    scaleLinear([0, Math.min(1, reach * 1.1)], UNIT)
      .nice(4)
      .domain()[1] ?? 1,
  ] as const;
  return frame(
    {
      ...size,
      x: { scale: 'linear', domain, label: 'predicted probability' },
      y: { scale: 'linear', domain, label: 'share of positives' },
      description: `Reliability diagram of ${name}`,
    },
    (area) => [
      diagonalMark(area),
      lineMark(
        area,
        filled.map((bin): Point => [bin.meanScore, bin.positiveRate]),
        style,
      ),
      filled.map(({ meanScore, positiveRate, count }) =>
        dotMark(
          area,
          [meanScore, positiveRate],
          style,
          1.8 + 3.2 * Math.sqrt(count / most),
          `${counted(count, 'label')}: predicted ${decimals(meanScore)}, positive ${decimals(positiveRate)}`,
        ),
      ),
    ],
  );
}

/** How many labels each bin of the reliability diagram rests on. */
function labelCounts(part: EvaluatedPart): Html {
  const filled = pooledBins(part).filter(({ count }) => count > 0);
  const most = Math.max(1, ...filled.map(({ count }) => count));
  const plot = frame(
    {
      width: 440,
      height: 260,
      left: 44,
      x: unitAxis('predicted probability'),
      y: { scale: 'log', domain: [0.8, Math.max(10, most)], label: 'labels (log scale)', ticks: 5 },
      description: 'Number of labels by predicted probability',
    },
    ({ x, y, bottom }) =>
      filled.map(
        ({ low, high, count }) =>
          html`<rect class="bar series" x="${x(low) + 0.75}" y="${y(count)}" width="${x(high) - x(low) - 1.5}" height="${bottom - y(count)}"><title>${counted(count, 'label')}</title></rect>`,
      ),
  );
  return plotFigure({
    caption: 'How many labels each point rests on',
    plot,
    numbers: {
      columns: ['Predicted from', 'to', 'Labels'].map((title) => ({ title })),
      rows: filled.map(({ low, high, count: labels }) => [decimals(low), decimals(high), count(labels)]),
    },
  });
}

function pooledBins({ scores, targets }: EvaluatedPart): ReliabilityBin[] {
  const probable = scores.every((score) => score >= 0 && score <= 1);
  return probable ? reliability(scores, targets) : [];
}

/** A curve at steps of a twentieth, as the drawing has a point for every image. */
function pairsTable(x: string, y: string, a: Float64Array, b: Float64Array): Numbers {
  const points = spaced(
    Array.from(a, (value, i): Point => [value, b[i] ?? Number.NaN]),
    0.05,
  );
  return {
    columns: [x, y].map((title) => ({ title })),
    rows: points.map(([from, to]) => [decimals(from), decimals(to)]),
  };
}

function binsTable(bins: readonly ReliabilityBin[]): Numbers {
  return {
    columns: ['Predicted, mean', 'Share of positives', 'Labels'].map((title) => ({ title })),
    rows: bins
      .filter((bin) => bin.count > 0)
      .map(({ meanScore, positiveRate, count: labels }) => [
        decimals(meanScore, 4),
        decimals(positiveRate, 4),
        count(labels),
      ]),
  };
}

function unitAxis(label: string): Axis {
  return { scale: 'linear', domain: UNIT, label };
}

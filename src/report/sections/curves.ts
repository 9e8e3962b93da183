import { count, significant } from '../../text/numbers.js';
import type { EpochLine, StepLine } from '../../train/run/metrics-line.js';
import { type Content, type Html, html } from '../html.js';
import { type Area, type Axis, frame } from '../plots/frame.js';
import {
  bandMark,
  borderMark,
  dotMark,
  lineMark,
  type Point,
  partReferenceMark,
  referenceMark,
  uprightMark,
} from '../plots/marks.js';
import { type Numbers, plotFigure } from '../plots/plot-figure.js';
import { type Bin, binned } from '../plots/thin.js';
import { type RecordedStage, recordedStages, validatedAlike } from '../recorded-stages.js';
import type { RunRecord } from '../run-record.js';
import type { Section } from './section.js';

/** The part of a run's record that is drawn, of a finished run or of one that goes on. */
type Recorded = Pick<RunRecord, 'recipe' | 'steps' | 'epochs' | 'rollbacks'>;

/** How training went: loss, gradient norm and learning rate by step, validation by epoch, all over the same axis. */
export function curves({ record }: { readonly record: Recorded }): Section {
  const { steps, epochs, rollbacks } = record;
  if (steps.length === 0 && epochs.length === 0) {
    return section(html`<p class="muted">No step was logged.</p>`);
  }
  const stages = recordedStages(record);
  const time = timeAxis(record, stages);
  const bestEpoch = epochs.findLast(({ best }) => best)?.epoch ?? null;
  const bySteps = (value: (line: StepLine) => number | null): Point[][] =>
    stages.map((stage) => points(stage.steps, (line) => time.at(line.step), value));
  const measured = validatedAlike(stages).map((own) => own.flatMap((stage) => stage.epochs));
  const byEpochs = (metric: string): Point[][] =>
    measured.map((own) =>
      points(
        own,
        (line) => time.at(line.step),
        ({ validation }) => validation?.[metric] ?? null,
      ),
    );
  const epochLoss = stages.map((stage) =>
    points(
      stage.epochs,
      (line) => time.at(line.step),
      ({ loss }) => loss,
    ),
  );
  const clips = new Set(stages.map(({ recipe }) => recipe.optimizer.clipNorm));
  const [clip = false] = clips.size === 1 ? clips : [];
  const best = (area: Area) =>
    bestEpoch !== null && uprightMark(area, time.atEpoch(bestEpoch), `best, ${bestEpoch}`);
  const guesses = measured.flatMap((own) => guessOf(own, time.at));
  const borders = (area: Area) => time.borders.map((at) => borderMark(area, at));
  const drawn = (title: string, label: string, lines: readonly Point[][], extras: PlotExtras) =>
    plot(title, label, lines, time.axis, {
      ...extras,
      over: (area) => [borders(area), extras.over?.(area)],
    });
  const plots = [
    drawn(
      'Training loss',
      'loss',
      bySteps((line) => line.loss),
      {
        over: (area) =>
          epochLoss.map(
            (line) => line.length > 1 && lineMark(area, line, 'strong', { title: 'mean of the epoch' }),
          ),
        more: epochLoss.flat(),
      },
    ),
    drawn(
      'Gradient norm before clipping',
      'L2 norm, log scale',
      bySteps((line) => line.gradientNorm),
      {
        log: true,
        over: (area) =>
          clip !== false && inside(area, clip) && referenceMark(area, clip, `clipped at ${clip}`),
      },
    ),
    drawn(
      'Learning rate',
      'rate',
      bySteps((line) => line.learningRate),
      { fromZero: true },
    ),
    drawn('Validation mAP', 'macro mAP', byEpochs('mAP'), {
      fromZero: true,
      dots: true,
      more: guesses.map(({ guess }) => [0, guess]),
      over: (area) => [
        best(area),
        ...guesses.map(({ guess, from, to }) =>
          guesses.length === 1
            ? referenceMark(area, guess, 'prevalence guess')
            : partReferenceMark(area, [from, to], guess),
        ),
      ],
    }),
    drawn('Validation AUROC', 'macro AUROC', byEpochs('auroc'), {
      dots: true,
      more: [[0, 0.5]],
      over: (area) => [best(area), referenceMark(area, 0.5, 'chance')],
    }),
    drawn('Validation calibration error', 'macro ECE', byEpochs('ece'), {
      fromZero: true,
      dots: true,
      over: best,
    }),
  ];
  const broken = steps.filter(({ loss, gradientNorm }) => loss === null || gradientNorm === null);
  const { logEvery } = record.recipe;
  return section(html`<div class="grid3">${plots}</div>
${broken.length > 0 && html`<p class="warn">Loss or gradient was not finite at step ${broken.slice(0, 5).map(({ step }, i) => `${i > 0 ? ', ' : ''}${count(step)}`)}${broken.length > 5 && ` and ${count(broken.length - 5)} more`}: training diverged.</p>`}
${rollbacks.map(({ step, diverged, factor }) => html`<p class="warn">Step ${count(diverged)} was not finite: the run went back to step ${count(step)}, and its learning rate was multiplied by ${significant(factor, 3)}.</p>`)}
${stageNote(stages)}
<p class="fine">Pale band: least and largest value among the steps that share a point. Loss: thin line steps, thick line means of the epochs. Logged every ${logEvery === 1 ? 'step' : `${count(logEvery)} steps`}.</p>`);
}

/** What the upright lines are, and which curves must not be read as one. */
function stageNote(stages: readonly RecordedStage[]): Html | null {
  if (stages.length === 1) return null;
  const titles = stages.map(({ name }, i) => name ?? `stage ${i + 1}`);
  const apart = validatedAlike(stages).length > 1;
  return html`<p class="fine">Upright lines: where the next stage begins (${titles.join(', ')}).${
    apart &&
    ' Stages were validated on different images and classes: their curves are drawn apart, since a step from one to the next means nothing. Each has a prevalence guess of its own (dashed).'
  }</p>`;
}

/** The prevalence guess on the images of a curve, and where the curve lies. */
function guessOf(
  epochs: readonly EpochLine[],
  at: (step: number) => number,
): { guess: number; from: number; to: number }[] {
  const [first, last] = [epochs[0], epochs.at(-1)];
  const guess = epochs.findLast(({ validation }) => validation !== null)?.validation?.prevalenceGuess ?? null;
  return first && last && guess !== null ? [{ guess, from: at(first.step), to: at(last.step) }] : [];
}

function points<Line>(
  lines: readonly Line[],
  x: (line: Line) => number,
  y: (line: Line) => number | null,
): Point[] {
  return lines.flatMap((line) => {
    const value = y(line);
    return value === null ? [] : [[x(line), value] as const];
  });
}

interface PlotExtras {
  readonly log?: boolean;
  readonly fromZero?: boolean;
  readonly dots?: boolean;
  /** More points that must fit into the picture. */
  readonly more?: readonly Point[];
  readonly over?: (area: Area) => Content;
}

/** @param lines curves that nothing joins */
function plot(
  title: string,
  label: string,
  lines: readonly Point[][],
  x: Axis,
  { log, fromZero, dots, more = [], over }: PlotExtras,
): Html {
  const known = lines
    .map((line) => (log ? line.filter(([, value]) => value > 0) : line))
    .filter((line) => line.length > 0);
  if (known.length === 0) {
    return html`<figure><figcaption>${title}</figcaption><p class="muted">not recorded</p></figure>`;
  }
  const total = known.reduce((sum, line) => sum + line.length, 0);
  const drawn = known.map((line) => binned(line, Math.max(1, Math.round((160 * line.length) / total))));
  const bins = drawn.flat();
  const values = [...bins.flatMap(({ low, high }) => [low, high]), ...more.map(([, value]) => value)];
  const low = fromZero ? 0 : Math.min(...values);
  const high = Math.max(...values);
  const y: Axis = { scale: log ? 'log' : 'linear', domain: widened(low, high), nice: true, label };
  const picture = frame(
    { width: 340, height: 200, x, y, description: `${title}: ${bins.length} points` },
    (area) => [
      drawn.map((line) => [
        line.some((bin) => bin.high > bin.low) && bandMark(area, line, 'series'),
        lineMark(
          area,
          line.map((bin): Point => [bin.x, bin.y]),
          'series',
        ),
        (dots || line.length === 1) && line.map((bin) => dotMark(area, [bin.x, bin.y], 'series', 2)),
      ]),
      over?.(area),
    ],
  );
  return plotFigure({ caption: title, plot: picture, numbers: pointsTable(bins, x.label, label) });
}

/** Single values, or of several steps that share a point their mean and extremes. */
function pointsTable(bins: readonly Bin[], x: string, y: string): Numbers {
  const shared = bins.some(({ low, high }) => high > low);
  const titles = [x, y, ...(shared ? ['least', 'largest'] : [])];
  const at = (value: number) => significant(value, 4);
  return {
    columns: titles.map((title) => ({ title })),
    rows: bins.map((bin) => [at(bin.x), at(bin.y), ...(shared ? [at(bin.low), at(bin.high)] : [])]),
  };
}

/** Steps as epochs, where it is known how many steps an epoch has; stages may differ in that. */
function timeAxis({ steps, epochs }: Recorded, stages: readonly RecordedStage[]) {
  const knots = [{ step: 0, epoch: 0 }, ...epochs];
  const last = Math.max(1, steps.at(-1)?.step ?? 0, epochs.at(-1)?.step ?? 0);
  const at = (step: number) => {
    // halved until the first knot is found that is not before the step: there may be thousands of both
    let [low, high] = [1, knots.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((knots[middle]?.step ?? 0) >= step) high = middle;
      else low = middle + 1;
    }
    const [from, to] = [knots[low - 1], knots[low]];
    // before the end of the first epoch nothing is known
    if (!from || !to) return step;
    return from.epoch + ((step - from.step) / (to.step - from.step)) * (to.epoch - from.epoch);
  };
  const end = at(last);
  const [{ recipe, epochs: firsts } = { recipe: undefined, epochs: [] }] = stages;
  const [first] = firsts;
  const label =
    first === undefined || recipe === undefined
      ? 'step'
      : stages.length > 1
        ? 'epoch'
        : `epoch (${count(first.step / first.epoch)} steps of ${recipe.batchSize * recipe.accumulate} images)`;
  const axis: Axis = { scale: 'linear', domain: [0, end], label, ticks: Math.min(7, Math.ceil(end)) };
  const known = epochs.length > 0;
  const begun = stages.slice(1).filter((stage) => stage.steps.length + stage.epochs.length > 0);
  return {
    axis,
    at,
    atEpoch: (epoch: number) => (known ? epoch : 0),
    /** Where the second stage and later ones begin. */
    borders: known ? begun.map(({ firstEpoch }) => firstEpoch) : [],
  };
}

function widened(low: number, high: number): readonly [number, number] {
  if (low < high) return [low, high];
  return low > 0 ? [low * 0.9, high * 1.1] : [low, low + 1];
}

function inside({ y }: Area, value: number): boolean {
  const [low = 0, high = 0] = y.domain();
  return value >= low && value <= high;
}

function section(content: Html): Section {
  return { key: 'training', title: 'How training went', content };
}

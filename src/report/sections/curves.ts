import { count } from '../../text/numbers.js';
import type { ExaminedRun } from '../examine-run.js';
import { type Html, html } from '../html.js';
import { type Area, type Axis, frame } from '../plots/frame.js';
import { bandMark, dotMark, lineMark, type Point, referenceMark, uprightMark } from '../plots/marks.js';
import { binned } from '../plots/thin.js';
import type { RunRecord } from '../run-record.js';

/** How training went: loss, gradient norm and learning rate by step, validation by epoch, all over the same axis. */
export function curves({ record }: ExaminedRun): Html {
  const { steps, epochs, recipe } = record;
  if (steps.length === 0 && epochs.length === 0) {
    return section(html`<p class="muted">No step was logged.</p>`);
  }
  const time = timeAxis(record);
  const bestEpoch = epochs.findLast(({ best }) => best)?.epoch ?? null;
  const bySteps = (value: (line: (typeof steps)[number]) => number | null): Point[] =>
    steps.flatMap((line) => {
      const y = value(line);
      return y === null ? [] : [[time.at(line.step), y] as const];
    });
  const byEpochs = (metric: string): Point[] =>
    epochs.flatMap((line) => {
      const y = line.validation?.[metric] ?? null;
      return y === null ? [] : [[time.at(line.step), y] as const];
    });
  const epochLoss = epochs.flatMap(({ step, loss }): Point[] =>
    loss === null ? [] : [[time.at(step), loss]],
  );
  const guess = epochs.findLast(({ validation }) => validation !== null)?.validation?.prevalenceGuess ?? null;
  const clip = recipe.optimizer.clipNorm;
  const best = (area: Area) =>
    bestEpoch !== null && uprightMark(area, time.atEpoch(bestEpoch), `best, ${bestEpoch}`);
  const plots = [
    plot(
      'Training loss',
      'loss',
      bySteps((line) => line.loss),
      time.axis,
      {
        over: (area) =>
          epochLoss.length > 1 && lineMark(area, epochLoss, 'strong', { title: 'mean of the epoch' }),
        more: epochLoss,
      },
    ),
    plot(
      'Gradient norm before clipping',
      'L2 norm, log scale',
      bySteps((line) => line.gradientNorm),
      time.axis,
      {
        log: true,
        over: (area) =>
          clip !== false && inside(area, clip) && referenceMark(area, clip, `clipped at ${clip}`),
      },
    ),
    plot(
      'Learning rate',
      'rate',
      bySteps((line) => line.learningRate),
      time.axis,
      { fromZero: true },
    ),
    plot('Validation mAP', 'macro mAP', byEpochs('mAP'), time.axis, {
      fromZero: true,
      dots: true,
      more: guess === null ? [] : [[0, guess]],
      over: (area) => [best(area), guess !== null && referenceMark(area, guess, 'prevalence guess')],
    }),
    plot('Validation AUROC', 'macro AUROC', byEpochs('auroc'), time.axis, {
      dots: true,
      more: [[0, 0.5]],
      over: (area) => [best(area), referenceMark(area, 0.5, 'chance')],
    }),
    plot('Validation calibration error', 'macro ECE', byEpochs('ece'), time.axis, {
      fromZero: true,
      dots: true,
      over: best,
    }),
  ];
  const broken = steps.filter(({ loss, gradientNorm }) => loss === null || gradientNorm === null);
  return section(html`<div class="grid3">${plots}</div>
${broken.length > 0 && html`<p class="warn">Loss or gradient was not finite at step ${broken.slice(0, 5).map(({ step }, i) => `${i > 0 ? ', ' : ''}${count(step)}`)}${broken.length > 5 && ` and ${count(broken.length - 5)} more`}: training diverged.</p>`}
<p class="fine">Pale band: least and largest value among the steps that share a point. Loss: thin line steps, thick line means of the epochs. Logged every ${recipe.logEvery === 1 ? 'step' : `${count(recipe.logEvery)} steps`}.</p>`);
}

interface PlotExtras {
  readonly log?: boolean;
  readonly fromZero?: boolean;
  readonly dots?: boolean;
  /** More points that must fit into the picture. */
  readonly more?: readonly Point[];
  readonly over?: (area: Area) => Parameters<typeof html>[1];
}

function plot(title: string, label: string, points: readonly Point[], x: Axis, extras: PlotExtras): Html {
  if (points.length === 0) {
    return html`<figure><figcaption>${title}</figcaption><p class="muted">not recorded</p></figure>`;
  }
  const bins = binned(extras.log ? points.filter(([, value]) => value > 0) : points, 160);
  const values = [
    ...bins.flatMap(({ low, high }) => [low, high]),
    ...(extras.more ?? []).map(([, value]) => value),
  ];
  const low = extras.fromZero ? 0 : Math.min(...values);
  const high = Math.max(...values);
  const y: Axis = { scale: extras.log ? 'log' : 'linear', domain: widened(low, high), nice: true, label };
  const drawn = frame(
    { width: 340, height: 200, x, y, description: `${title}: ${bins.length} points` },
    (area) => [
      bins.some((bin) => bin.high > bin.low) && bandMark(area, bins, 'series'),
      lineMark(
        area,
        bins.map((bin): Point => [bin.x, bin.y]),
        'series',
      ),
      (extras.dots || bins.length === 1) && bins.map((bin) => dotMark(area, [bin.x, bin.y], 'series', 2)),
      extras.over?.(area),
    ],
  );
  return html`<figure><figcaption>${title}</figcaption>${drawn}</figure>`;
}

/** Steps as epochs, where it is known how many steps an epoch has. */
function timeAxis({ steps, epochs, recipe }: RunRecord) {
  const [first] = epochs;
  const stepsPerEpoch = first === undefined ? null : first.step / first.epoch;
  const last = Math.max(1, steps.at(-1)?.step ?? 0, epochs.at(-1)?.step ?? 0);
  const at = (step: number) => (stepsPerEpoch === null ? step : step / stepsPerEpoch);
  const end = at(last);
  const label =
    stepsPerEpoch === null ? 'step' : `epoch (${count(stepsPerEpoch)} steps of ${recipe.batchSize} images)`;
  const axis: Axis = { scale: 'linear', domain: [0, end], label, ticks: Math.min(7, Math.ceil(end)) };
  return { axis, at, atEpoch: (epoch: number) => (stepsPerEpoch === null ? 0 : epoch) };
}

function widened(low: number, high: number): readonly [number, number] {
  if (low < high) return [low, high];
  return low > 0 ? [low * 0.9, high * 1.1] : [low, low + 1];
}

function inside({ y }: Area, value: number): boolean {
  const [low = 0, high = 0] = y.domain();
  return value >= low && value <= high;
}

function section(content: Html): Html {
  return html`<section><h3>How training went</h3>${content}</section>`;
}

import { scaleLinear } from 'd3-scale';
import { line } from 'd3-shape';
import type { Measurement } from './measurement.js';
import { axis, CHART, chart, colourOf, text } from './svg.js';

/** The time of a training step against the batch, and against the pixels of an image: straight lines, if all is well. */

interface Point {
  readonly x: number;
  readonly ms: number;
  readonly label: string;
}

const HEIGHT = 360;
const TOP = 80;
const BOTTOM = HEIGHT - 60;

/** @param measurements of workloads named `…-64px-batch8` */
export function scalingPlot(
  measurements: readonly Measurement[],
  { adapter, date }: { readonly adapter: string; readonly date: string },
): string {
  const steps = measurements
    .filter(({ who }) => who === 'tailray')
    .map(({ work, msMedian }) => {
      const [, image = '0', batch = '0'] = /-(\d+)px-batch(\d+)$/.exec(work) ?? [];
      return { image: Number(image), batch: Number(batch), ms: msMedian };
    });
  const commonest = (values: readonly number[]) =>
    values.toSorted((a, b) => values.filter((v) => v === b).length - values.filter((v) => v === a).length)[0];
  const image = commonest(steps.map((step) => step.image));
  const batch = commonest(steps.map((step) => step.batch));
  const byBatch = steps
    .filter((step) => step.image === image)
    .map((step) => ({ x: step.batch, ms: step.ms, label: String(step.batch) }));
  const byPixels = steps
    .filter((step) => step.batch === batch)
    .map((step) => ({ x: step.image ** 2, ms: step.ms, label: `${step.image}²` }));
  const half = CHART.width / 2;
  return chart(HEIGHT, 'A training step of ResNet-18, milliseconds', [
    text(16, 42, `${adapter}, ${date.slice(0, 10)}; median; dashed: proportional to the largest`, 'muted'),
    ...panel(byBatch, `batch, at ${image} pixels`, 60, half - 30),
    ...panel(byPixels, `pixels of an image, at batch ${batch}`, half + 50, CHART.width - 44),
  ]);
}

function panel(points: readonly Point[], title: string, left: number, right: number): string[] {
  const sorted = points.toSorted((a, b) => a.x - b.x);
  const last = sorted.at(-1);
  if (!last) return [];
  const x = scaleLinear().domain([0, last.x]).range([left, right]);
  const y = scaleLinear()
    .domain([0, Math.max(...sorted.map(({ ms }) => ms))])
    .nice()
    .range([BOTTOM, TOP]);
  const path = line<Point>(
    (point) => x(point.x),
    (point) => y(point.ms),
  )(sorted);
  return [
    ...y
      .ticks(5)
      .map(
        (tick) =>
          `<line x1="${left}" x2="${right}" y1="${y(tick)}" y2="${y(tick)}" stroke="#e4e4e4"/>${text(left - 8, y(tick) + 4, String(tick), 'label')}`,
      ),
    ...sorted.map((point) => axis(x(point.x), BOTTOM, BOTTOM + 4, point.label)),
    `<line x1="${x(0)}" y1="${y(0)}" x2="${x(last.x)}" y2="${y(last.ms)}" stroke="#999" stroke-dasharray="4 4"/>`,
    `<path d="${path}" fill="none" stroke="${colourOf('tailray')}" stroke-width="2"/>`,
    ...sorted.map(
      (point) => `<circle cx="${x(point.x)}" cy="${y(point.ms)}" r="4" fill="${colourOf('tailray')}"/>`,
    ),
    text((left + right) / 2, HEIGHT - 18, title, 'middle'),
  ];
}

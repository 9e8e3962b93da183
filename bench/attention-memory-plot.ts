import { scaleLinear, scaleLog } from 'd3-scale';
import { line } from 'd3-shape';
import type { AttentionMemory, Way } from './attention-memory.js';
import { axis, CHART, chart, colourOf, text } from './svg.js';

/**
 * The memory of attention with its gradients against tokens. On logarithmic axes, memory that grows with the square of the
 * tokens is twice as steep; on linear ones, the memory of the fused kernel lies on a straight line.
 */

const HEIGHT = 380;
const TOP = 100;
const BOTTOM = HEIGHT - 60;
const MIB = 2 ** 20;

interface Point {
  readonly tokens: number;
  readonly mib: number;
}

const COLOURS: Readonly<Record<Way, string>> = {
  fused: colourOf('tailray'),
  unfused: colourOf('tailray-unfused'),
};

export function attentionMemoryPlot(rows: readonly AttentionMemory[], adapter: string): string {
  const points = (way: Way): Point[] =>
    rows.flatMap(({ tokens, ways }) => {
      const bytes = ways[way].withGradients;
      return bytes === undefined ? [] : [{ tokens, mib: bytes / MIB }];
    });
  const fused = points('fused');
  const all = [...fused, ...points('unfused')];
  const half = CHART.width / 2;
  const first = Math.min(...rows.map(({ tokens }) => tokens));
  const last = Math.max(...rows.map(({ tokens }) => tokens));
  return chart(HEIGHT, 'Memory of attention with its gradients, MiB on the device', [
    text(16, 42, `one image, 8 heads of 64 values; planned for ${adapter}`, 'muted'),
    ...legend(),
    ...panel({
      series: { fused, unfused: points('unfused') },
      x: scaleLog()
        .base(2)
        .domain([first, last])
        .range([60, half - 30]),
      y: scaleLog()
        .domain([Math.min(...all.map(({ mib }) => mib)), Math.max(...all.map(({ mib }) => mib))])
        .nice()
        .range([BOTTOM, TOP]),
      marks: rows.map(({ tokens }) => tokens),
      title: 'tokens, both axes logarithmic',
    }),
    ...panel({
      series: { fused },
      x: scaleLinear()
        .domain([0, last])
        .range([half + 50, CHART.width - 44]),
      y: scaleLinear()
        .domain([0, Math.max(...fused.map(({ mib }) => mib))])
        .nice()
        .range([BOTTOM, TOP]),
      marks: rows.map(({ tokens }) => tokens).filter((tokens) => tokens >= last / 8),
      title: 'tokens, both axes linear; dashed: proportional to the largest',
      proportional: true,
    }),
  ]);
}

interface Scale {
  (value: number): number;
  domain(): number[];
  range(): number[];
  ticks(count: number): number[];
}

interface Panel {
  readonly series: Readonly<Partial<Record<Way, readonly Point[]>>>;
  readonly x: Scale;
  readonly y: Scale;
  /** Numbers of tokens that get a label. */
  readonly marks: readonly number[];
  readonly title: string;
  /** Whether to draw the line through 0 and the last point of the first series. */
  readonly proportional?: boolean;
}

function panel({ series, x, y, marks, title, proportional = false }: Panel): string[] {
  const [left = 0, right = 0] = x.range();
  const lines = Object.entries(series) as [Way, readonly Point[]][];
  const end = lines[0]?.[1].at(-1);
  const ticks = y.ticks(5).filter((tick) => y.domain()[0] === 0 || Number.isInteger(Math.log10(tick)));
  const path = line<Point>(
    ({ tokens }) => x(tokens),
    ({ mib }) => y(mib),
  );
  return [
    ...ticks.map(
      (tick) =>
        `<line x1="${left}" x2="${right}" y1="${y(tick)}" y2="${y(tick)}" stroke="#e4e4e4"/>${text(left - 8, y(tick) + 4, String(tick), 'label')}`,
    ),
    ...marks.map((tokens) => axis(x(tokens), BOTTOM, BOTTOM + 4, String(tokens))),
    ...(proportional && end
      ? [
          `<line x1="${left}" y1="${BOTTOM}" x2="${x(end.tokens)}" y2="${y(end.mib)}" stroke="#999" stroke-dasharray="4 4"/>`,
        ]
      : []),
    ...lines.flatMap(([way, points]) => [
      `<path d="${path(points)}" fill="none" stroke="${COLOURS[way]}" stroke-width="2"/>`,
      ...points.map(
        ({ tokens, mib }) =>
          `<circle cx="${x(tokens)}" cy="${y(mib)}" r="4" fill="${COLOURS[way]}"><title>${tokens} tokens: ${mib.toFixed(1)} MiB ${way}</title></circle>`,
      ),
    ]),
    text((left + right) / 2, HEIGHT - 18, title, 'middle'),
  ];
}

function legend(): string[] {
  const words: Readonly<Record<Way, string>> = {
    fused: 'one kernel, which stores no weights of pairs of tokens',
    unfused: 'plain ops: softmax(QKᵀ)·V, up to the largest tensor that this adapter binds',
  };
  return (Object.keys(words) as Way[]).map((way, i) => {
    const left = 16 + i * 350;
    return `<circle cx="${left + 4}" cy="62" r="4" fill="${COLOURS[way]}"/>${text(left + 14, 66, words[way])}`;
  });
}

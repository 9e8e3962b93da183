import { formatByteSize } from '../../text/byte-size.js';
import { formatSeconds } from '../../text/duration.js';
import { count, NOTHING, percent } from '../../text/numbers.js';
import type { ExaminedRun } from '../examine-run.js';
import { type Content, type Html, html } from '../html.js';
import { frame } from '../plots/frame.js';
import { plotFigure } from '../plots/plot-figure.js';
import { imagesTaken } from '../recorded-stages.js';
import type { RunRecord } from '../run-record.js';
import type { Section } from './section.js';

/** Time and memory that the run took, and whether the device had to wait for pictures. */
export function time({ record }: ExaminedRun): Section {
  const { summary, saved, epochs } = record;
  const seconds = epochs.reduce((sum, line) => sum + line.seconds, 0);
  // not there in runs of before
  const waited = epochs.reduce((sum, line) => sum + (line.dataWaitSeconds ?? Number.NaN), 0);
  const facts: [string, Content][] = [
    ['Adapter', summary?.adapter ?? saved?.adapter ?? NOTHING],
    ['Time of the epochs', epochs.length === 0 ? NOTHING : `${formatSeconds(seconds)}, validation included`],
    [
      'Waiting for pictures',
      seconds > 0 && waited >= 0 ? `${percent(waited / seconds)} of that time` : NOTHING,
    ],
    ['Pace', seconds > 0 ? `${count(imagesTaken(record) / seconds)} images/s, validation included` : NOTHING],
    [
      'Peak memory on the adapter',
      summary?.peakBytes === undefined ? 'not recorded' : formatByteSize(summary.peakBytes),
    ],
  ];
  const content = html`<div class="beside">${epochTimes(record)}<dl>${facts.map(([term, value]) => html`<div><dt>${term}</dt><dd>${value}</dd></div>`)}</dl></div>`;
  return { key: 'time', title: 'Time and memory', content };
}

/** More bars than this are one line to the eye; then several epochs share one. */
const MOST_BARS = 60;

function epochTimes({ epochs }: RunRecord): Html | null {
  if (epochs.length === 0) return null;
  const size = Math.ceil(epochs.length / MOST_BARS);
  const bars = Array.from({ length: Math.ceil(epochs.length / size) }, (_, i) => {
    const lines = epochs.slice(i * size, (i + 1) * size);
    const mean = (value: (line: (typeof lines)[number]) => number) =>
      lines.reduce((sum, line) => sum + value(line), 0) / lines.length;
    return {
      first: lines[0]?.epoch ?? 0,
      last: lines.at(-1)?.epoch ?? 0,
      seconds: mean((line) => line.seconds),
      waited: mean((line) => line.dataWaitSeconds ?? Number.NaN),
    };
  });
  const highest = Math.max(...bars.map(({ seconds }) => seconds));
  const last = bars.at(-1)?.last ?? 1;
  const name = ({ first, last: end }: (typeof bars)[number]) =>
    first === end ? String(first) : `${first}–${end}`;
  const plot = frame(
    {
      width: 440,
      height: 200,
      left: 48,
      x: { scale: 'linear', domain: [0.5, last + 0.5], label: 'epoch', ticks: Math.min(7, last) },
      y: { scale: 'linear', domain: [0, highest || 1], nice: true, label: 'seconds' },
      description: `Seconds of each epoch, at most ${formatSeconds(highest)}`,
    },
    ({ x, y, bottom }) =>
      bars.map((bar) => {
        const [from, to] = [x(bar.first - 0.42), x(bar.last + 0.42)];
        const rect = (value: number, style: string) =>
          html`<rect class="bar ${style}" x="${from.toFixed(1)}" width="${(to - from).toFixed(1)}" y="${y(value).toFixed(1)}" height="${(bottom - y(value)).toFixed(1)}"/>`;
        return html`<g><title>epoch ${name(bar)}: ${formatSeconds(bar.seconds)}</title>${rect(bar.seconds, 'series')}${bar.waited > 0 && rect(bar.waited, 'waiting')}</g>`;
      }),
  );
  const figure = plotFigure({
    caption: 'Time of each epoch, validation included',
    plot,
    numbers: {
      columns: [{ title: 'Epoch' }, { title: 'Seconds' }, { title: 'of them waiting for pictures' }],
      rows: bars.map((bar) => [
        name(bar),
        bar.seconds.toFixed(1),
        bar.waited >= 0 ? bar.waited.toFixed(1) : NOTHING,
      ]),
    },
  });
  const waits = bars.some(({ waited }) => waited > 0);
  return html`<div>${figure}${waits && html`<p class="legend"><span class="chip series">computing</span><span class="chip waiting">waiting for pictures</span></p>`}</div>`;
}

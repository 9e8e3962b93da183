import type { RatePoint, RateSuggestions } from '../../train/trial/rate-curve.js';
import { type Html, html, trusted } from '../html.js';
import { type Area, frame, round } from './frame.js';
import { dotMark, lineMark, type Point, uprightMark } from './marks.js';

/** The curve of a learning-rate range test as a picture that stands alone: it brings its own colours. */

const [WIDTH, HEIGHT] = [720, 400];

/** For the labels of the marks, as part of the curve’s height. */
const HEADROOM = 0.15;

const STYLE =
  'svg{overflow:visible;font:12px system-ui,sans-serif}text{fill:#222}.title{font-size:15px;font-weight:600}.tick,.label,.note{fill:#5d6672}' +
  '.grid{stroke:#e8ebef}.axis,.tickmark{stroke:#5d6672}.line{fill:none;stroke:#3d4fa3;stroke-width:2;stroke-linejoin:round}' +
  '.dot{fill:#9aa6d8}.upright{stroke:#d55e00;stroke-dasharray:4 3}.note{paint-order:stroke;stroke:#fff;stroke-width:3px}';

/** @param points at least two */
export function ratePlot(
  points: readonly RatePoint[],
  suggestions: RateSuggestions | null,
  title: string,
): string {
  const rates = points.map(({ rate }) => rate);
  const smoothed = points.map(({ smoothed: value }) => value);
  const losses = points.map(({ loss }) => loss);
  const [low, high] = [Math.min(...smoothed, ...losses), Math.max(...smoothed)];
  // where the loss runs away it would press the fall flat
  const start = smoothed[0] ?? high;
  const top = suggestions ? Math.min(high, start + (start - low)) : high;
  const inside = ([, loss]: Point) => loss <= top;
  const dots = points.map(({ rate, loss }): Point => [rate, loss]).filter(inside);
  const line = points.map(({ rate, smoothed: value }): Point => [rate, value]).filter(inside);
  const drawing = frame(
    {
      width: WIDTH,
      height: HEIGHT,
      left: 56,
      x: {
        scale: 'log',
        domain: [Math.min(...rates), Math.max(...rates)],
        label: 'learning rate, log scale',
        ticks: 8,
      },
      y: {
        scale: 'linear',
        domain: [low, top + HEADROOM * (top - low)],
        nice: true,
        label: 'training loss: single steps, and smoothed',
      },
      description: `${title}: ${points.length} rates`,
    },
    (area) => [
      dots.map((point) => dotMark(area, point, '', 2)),
      lineMark(area, line, ''),
      suggestions && [
        uprightMark(area, suggestions.steepest, `steepest slope, ${written(suggestions.steepest)}`),
        uprightMark(area, suggestions.tenthOfMinimum, ''),
        lower(
          area,
          suggestions.tenthOfMinimum,
          `tenth of the minimum’s, ${written(suggestions.tenthOfMinimum)}`,
        ),
      ],
    ],
  );
  const picture = html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH + 12} ${HEIGHT + 40}" width="${WIDTH + 12}" height="${HEIGHT + 40}">
<style>${trusted(STYLE)}</style>
<rect width="100%" height="100%" fill="#fff"/>
<text class="title" x="12" y="24">${title}</text>
<svg x="0" y="36" width="${WIDTH}" height="${HEIGHT}">${drawing}</svg>
</svg>
`;
  return picture.text;
}

/** A label of an upright mark below that of another one, which may stand near it. */
function lower({ x, top, left, right }: Area, rate: number, label: string): Html {
  const at = x(rate);
  const leftHalf = at < (left + right) / 2;
  return html`<text class="note" x="${round(at + (leftHalf ? 3 : -3))}" y="${top + 24}" text-anchor="${leftHalf ? 'start' : 'end'}">${label}</text>`;
}

function written(rate: number): string {
  return rate.toExponential(1);
}

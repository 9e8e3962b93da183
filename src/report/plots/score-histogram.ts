import { scaleLinear } from 'd3-scale';
import { counted } from '../../text/numbers.js';
import { score } from '../format.js';
import { type Html, html } from '../html.js';
import { natural, round } from './frame.js';

/**
 * Scores of one class: labelled images upwards, others downwards, each as shares of their own number, so that ten positives
 * stand beside twenty thousand negatives. Scores are laid out by their log odds, which pulls the small ones of rare
 * classes apart; all classes share one axis.
 */

export interface ScoreBin {
  /** Scores from `low` up to `high`. */
  readonly low: number;
  readonly high: number;
  readonly positives: number;
  readonly negatives: number;
}

const [WIDTH, HEIGHT] = [250, 128];
const MIDDLE = 56;
const TALLEST = 44;
const TICKS = [1e-4, 1e-3, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999] as const;
/** Scores nearer to 0 or 1 than this stand in the outermost bins. */
const EDGE = 1e-5;

/**
 * Edges of bins that are equally wide in log odds and hold all scores.
 * @param scores probabilities
 */
export function scoreEdges(scores: Float32Array, bins: number): number[] {
  let [low, high] = [1 - EDGE, EDGE];
  for (const value of scores) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  const [from, to] = [logOdds(Math.min(low, 0.4)), logOdds(Math.max(high, 0.6))];
  return Array.from({ length: bins + 1 }, (_, i) => odds(from + ((to - from) * i) / bins));
}

/** @param scores [n] @param targets [n] of 1, 0 or NaN (unknown, left out) */
export function scoreBins(scores: Float32Array, targets: Float32Array, edges: readonly number[]): ScoreBin[] {
  const [from, to] = [logOdds(edges[0] ?? 0), logOdds(edges.at(-1) ?? 1)];
  const bins = edges.length - 1;
  const positives = new Uint32Array(bins);
  const negatives = new Uint32Array(bins);
  for (const [i, value] of scores.entries()) {
    const target = targets[i] ?? Number.NaN;
    if (Number.isNaN(target)) continue;
    const bin = Math.floor((bins * (logOdds(value) - from)) / (to - from));
    const counts = target === 1 ? positives : negatives;
    const at = Math.min(bins - 1, Math.max(0, bin));
    counts[at] = (counts[at] ?? 0) + 1;
  }
  return Array.from({ length: bins }, (_, bin) => ({
    low: edges[bin] ?? 0,
    high: edges[bin + 1] ?? 1,
    positives: positives[bin] ?? 0,
    negatives: negatives[bin] ?? 0,
  }));
}

/** @param threshold marked where it is a number @param style of the positives */
export function scoreHistogram(
  bins: readonly ScoreBin[],
  { threshold, style, name }: { threshold: number; style: string; name: string },
): Html {
  const [first, last] = [bins[0]?.low ?? 0, bins.at(-1)?.high ?? 1];
  const x = scaleLinear([logOdds(first), logOdds(last)], [6, WIDTH - 6]);
  const at = (value: number) => round(x(logOdds(value)));
  const total = (count: (bin: ScoreBin) => number) => bins.reduce((sum, bin) => sum + count(bin), 0);
  const bars = (count: (bin: ScoreBin) => number, direction: 1 | -1) => {
    const most = Math.max(1, ...bins.map(count));
    return bins
      .filter((bin) => count(bin) > 0)
      .map((bin) => {
        const height = round(Math.max(1, (TALLEST * count(bin)) / most));
        const from = direction > 0 ? MIDDLE - height : MIDDLE;
        return `M${at(bin.low)} ${round(from)}H${round(at(bin.high) - 0.5)}V${round(from + height)}H${at(bin.low)}Z`;
      })
      .join('');
  };
  const ticks = TICKS.filter((tick) => tick >= first && tick <= last);
  const [positives, negatives] = [total((bin) => bin.positives), total((bin) => bin.negatives)];
  return html`<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" style="max-width:${natural(WIDTH)}px" role="img" aria-label="Scores of ${name}: ${counted(positives, 'positive')} above the line, ${counted(negatives, 'negative')} below">
<path class="bar ${style}" d="${bars((bin) => bin.positives, 1)}"/><path class="bar negatives" d="${bars((bin) => bin.negatives, -1)}"/>
<line class="axis" x1="6" x2="${WIDTH - 6}" y1="${MIDDLE}" y2="${MIDDLE}"/>
${ticks.map((tick) => html`<line class="tickmark" x1="${at(tick)}" x2="${at(tick)}" y1="${HEIGHT - 22}" y2="${HEIGHT - 18}"/><text class="tick" x="${at(tick)}" y="${HEIGHT - 7}" text-anchor="middle">${String(tick)}</text>`)}
${Number.isFinite(threshold) && html`<line class="guess" x1="${at(threshold)}" x2="${at(threshold)}" y1="6" y2="${HEIGHT - 22}"><title>found from ${score(threshold)} on</title></line>`}
</svg>`;
}

function logOdds(probability: number): number {
  const inside = Math.min(1 - EDGE, Math.max(EDGE, probability));
  return Math.log(inside / (1 - inside));
}

function odds(logarithm: number): number {
  return 1 / (1 + Math.exp(-logarithm));
}

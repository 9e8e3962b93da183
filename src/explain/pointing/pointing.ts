import { bcaInterval, type Interval } from '../../eval/metrics/interval.js';
import { leavingOut, overDraws } from '../../eval/metrics/patient-draws.js';
import type { ExplainedImages } from '../explain-images.js';
import type { Mask, MaskSource } from './mask.js';

/** How well maps fall on what they should show, where somebody knows the place. */

/** Of one map and its mask. */
export interface Pointed {
  /** Whether the map's largest value lies inside the mask (the pointing game of Zhang et al. 2018, without a margin). */
  readonly hit: boolean;
  /** The share of the map's sum that lies inside; 0 of a map of zeros, which points nowhere. */
  readonly energy: number;
  /** The mask's share of the image. */
  readonly area: number;
}

/** Of all images of a finding that have a mask. */
export interface PointingRow {
  readonly finding: string;
  readonly images: number;
  /** The mean share of the image that the masks take: what a map that knows nothing would hit. */
  readonly area: number;
  /** Share of maps with their largest value inside the mask. */
  readonly hits: Interval;
  /** Mean share of a map's sum inside the mask. */
  readonly energy: Interval;
  /** `energy` over `area`: 1 is chance. */
  readonly ratio: Interval;
}

export interface PointingOptions {
  /** The checkpoint's, by column. */
  readonly classes: readonly string[];
  /** Whose image each row is, for the intervals; absent: each image is a person of its own. */
  readonly patients?: readonly (string | number | null)[];
  /** Draws of patients behind each interval; default 1000. */
  readonly resamples?: number;
}

/**
 * Holds maps against masks, finding by finding, in the order of the classes. Rows without a mask are left out: ask for the maps
 * of the findings that are there.
 * @param explained maps of positive images, from `explainImages`
 */
export async function measurePointing(
  { rows, maps }: Pick<ExplainedImages, 'rows' | 'maps'>,
  masks: MaskSource,
  { classes, patients, resamples = 1000 }: PointingOptions,
): Promise<PointingRow[]> {
  const found = new Map<number, { pointed: Pointed; patient: string | number | null }[]>();
  for (const [i, { image, column }] of rows.entries()) {
    const mask = await masks(image, classes[column] ?? '');
    if (mask === null) continue;
    const pointed = pointAt(maps.raw(i, [mask.height, mask.width]), mask);
    const own = found.get(column) ?? [];
    own.push({ pointed, patient: patients?.[i] ?? null });
    found.set(column, own);
  }
  return [...found]
    .sort(([a], [b]) => a - b)
    .map(([column, own]) => summarize(classes[column] ?? '', own, resamples));
}

/** @param map [height, width] of the mask, never negative */
export function pointAt(map: Float32Array, { inside }: Mask): Pointed {
  let [sum, within, covered, most, place] = [0, 0, 0, 0, -1];
  for (let i = 0; i < map.length; i++) {
    const value = map[i] as number;
    sum += value;
    if (value > most) [most, place] = [value, i];
    if (inside[i] === 0) continue;
    within += value;
    covered++;
  }
  return {
    hit: place >= 0 && inside[place] !== 0,
    energy: sum > 0 ? within / sum : 0,
    area: covered / map.length,
  };
}

function summarize(
  finding: string,
  own: readonly { readonly pointed: Pointed; readonly patient: string | number | null }[],
  resamples: number,
): PointingRow {
  const draws = { n: own.length, patients: own.map(({ patient }) => patient), resamples };
  const mean = (value: (one: Pointed) => number, weights?: Uint32Array) => {
    let [sum, count] = [0, 0];
    for (const [i, { pointed }] of own.entries()) {
      const weight = weights?.[i] ?? 1;
      sum += weight * value(pointed);
      count += weight;
    }
    return sum / count;
  };
  const interval = (statistic: (weights?: Uint32Array) => number) =>
    bcaInterval(
      {
        estimate: statistic(),
        draws: overDraws(draws, statistic),
        jackknife: leavingOut(draws, statistic),
      },
      0.95,
    );
  return {
    finding,
    images: own.length,
    area: mean(({ area }) => area),
    hits: interval((weights) => mean(({ hit }) => Number(hit), weights)),
    energy: interval((weights) => mean(({ energy }) => energy, weights)),
    ratio: interval((weights) => mean(({ energy }) => energy, weights) / mean(({ area }) => area, weights)),
  };
}

import { createHash } from 'node:crypto';
import type { GreyImage } from '../data/images/decode.js';
import { ImageError, type ImageErrorKind } from '../data/images/image-error.js';
import { hasPicture, readPicture } from '../data/images/image-source.js';
import { type Fingerprint, fingerprintOf } from '../data/images/perceptual-hash.js';
import type { TableRow } from '../data/tables/table.js';
import type { NamedPart, PartName } from './named-part.js';

/** The look at every picture: its measures, and the hashes by which copies are recognised. */

/** A picture that can be read. */
export interface Picture {
  readonly part: PartName;
  readonly row: TableRow;
  /** [classes] of 1, 0, NaN. A view of the table. */
  readonly labels: Float32Array;
  readonly width: number;
  readonly height: number;
  /** Bits that a pixel is stored in. */
  readonly depth: 8 | 16;
  readonly darkest: number;
  readonly brightest: number;
  /** SHA-256 of size, depth and grey values: equal for the same picture in whatever file. */
  readonly digest: string;
  readonly fingerprint: Fingerprint;
  /** What is wrong with its file, where damaged ones are taken. */
  readonly damage?: string;
}

export interface UnusablePicture {
  readonly part: PartName;
  readonly image: string;
  readonly line: number;
  readonly kind: ImageErrorKind;
  readonly reason: string;
}

export interface PictureSurvey {
  readonly pictures: readonly Picture[];
  readonly unusable: readonly UnusablePicture[];
}

export interface SurveyOptions {
  /** Folder that the identifiers are relative to. */
  readonly root: string;
  /** Take damaged pictures as far as they can be decoded. */
  readonly lenient?: boolean | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** Files at work at once: as many as libuv's pool takes. */
const AT_ONCE = 4;
/** Rows that are tried to tell whether the pictures are there at all. */
const PROBES = 25;

/** Whether any of some rows, spread over the parts, has its file. */
export async function picturesAreThere(parts: readonly NamedPart[], root: string): Promise<boolean> {
  for (const { table, indices } of parts) {
    const step = Math.max(1, Math.floor(indices.length / PROBES));
    for (let at = 0; at < indices.length; at += step) {
      const image = table.rows[indices[at] ?? -1]?.image ?? '';
      if (await hasPicture(root, image)) return true;
    }
  }
  return false;
}

/** Decodes every picture of the parts once, in the order of the rows; one that two parts name counts for the first. */
export async function surveyPictures(
  parts: readonly NamedPart[],
  { root, lenient = false, onProgress }: SurveyOptions,
): Promise<PictureSurvey> {
  const places = placesOf(parts);
  const seen: (Picture | UnusablePicture)[] = new Array(places.length);
  let next = 0;
  let done = 0;
  const look = async () => {
    while (next < places.length) {
      const at = next++;
      const place = places[at];
      if (place === undefined) break;
      try {
        seen[at] = await lookAt(place, root, lenient);
      } catch (error) {
        next = places.length; // the others stop too
        throw error;
      }
      onProgress?.(++done, places.length);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, look));
  return {
    pictures: seen.filter((each) => 'digest' in each),
    unusable: seen.filter((each) => 'kind' in each),
  };
}

type Place = Pick<Picture, 'part' | 'row' | 'labels'>;

function placesOf(parts: readonly NamedPart[]): Place[] {
  const named = new Set<string>();
  const places: Place[] = [];
  for (const { name: part, table, indices } of parts) {
    const width = table.classes.length;
    for (const index of indices) {
      const row = table.rows[index];
      if (row === undefined || named.has(row.image)) continue;
      named.add(row.image);
      places.push({ part, row, labels: table.labels.subarray(index * width, (index + 1) * width) });
    }
  }
  return places;
}

async function lookAt(place: Place, root: string, lenient: boolean): Promise<Picture | UnusablePicture> {
  const { image, line } = place.row;
  try {
    const { picture: decoded } = await readPicture(root, image, { lenient });
    const { width, height, maximum, damage } = decoded;
    const [darkest, brightest] = extremesOf(decoded);
    if (darkest === brightest) {
      throw new ImageError('blank', image, `all ${width} × ${height} pixels have the value ${darkest}.`);
    }
    return {
      ...place,
      width,
      height,
      depth: maximum <= 255 ? 8 : 16,
      darkest,
      brightest,
      digest: digestOf(decoded),
      fingerprint: fingerprintOf(decoded),
      ...(damage !== undefined && { damage }),
    };
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    return { part: place.part, image, line, kind: error.kind, reason: error.reason };
  }
}

function extremesOf({ pixels }: GreyImage): [least: number, most: number] {
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of pixels) {
    if (value < least) least = value;
    if (value > most) most = value;
  }
  return [least, most];
}

function digestOf({ width, height, maximum, pixels }: GreyImage): string {
  return createHash('sha256')
    .update(`${width} ${height} ${maximum} `)
    .update(new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength))
    .digest('hex');
}

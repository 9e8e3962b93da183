import { correlation } from '../data/images/perceptual-hash.js';
import { type CopyGroup, findCopies } from './copies.js';
import type { Picture, PictureSurvey, UnusablePicture } from './picture-survey.js';

/** The pictures of a data set, all together. */

export interface PictureFacts {
  readonly looked: number;
  readonly readable: number;
  readonly unusable: readonly UnusablePicture[];
  /** Readable ones whose files are damaged, where those are taken. */
  readonly damaged: readonly { readonly image: string; readonly line: number; readonly damage: string }[];
  /** Width × height, the most frequent first. */
  readonly sizes: readonly SizeCount[];
  /** How many are stored in 8 and in 16 bits a pixel. */
  readonly depths: Readonly<Record<8 | 16, number>>;
  /** Of the 16-bit ones: how many bits their brightest value takes, and how often. */
  readonly bitsUsed: readonly { readonly bits: number; readonly images: number }[];
  /** [height, width] that the network sees. */
  readonly network: readonly [height: number, width: number];
  /** Pictures that are smaller than the network's in both directions. */
  readonly enlarged: number;
  /** Pictures whose shape is changed by more than a fifth on the way to the network's. */
  readonly distorted: number;
  readonly copies: readonly CopyGroup[];
  /** Pictures that look like the negative of the others. */
  readonly inverted: readonly string[];
}

export interface SizeCount {
  readonly width: number;
  readonly height: number;
  readonly images: number;
}

/** @param size [height, width] that the network sees */
export function pictureFacts(
  { pictures, unusable }: PictureSurvey,
  [height, width]: readonly [number, number],
): PictureFacts {
  const stretch = (picture: Picture) => picture.width / picture.height / (width / height);
  const deep = pictures.filter(({ depth }) => depth === 16);
  return {
    looked: pictures.length + unusable.length,
    readable: pictures.length,
    unusable,
    damaged: pictures.flatMap(({ row: { image, line }, damage }) =>
      damage === undefined ? [] : [{ image, line, damage }],
    ),
    sizes: sizesOf(pictures),
    depths: { 8: pictures.length - deep.length, 16: deep.length },
    bitsUsed: tally(deep, ({ brightest }) => Math.ceil(Math.log2(brightest + 1)))
      .map(([bits, images]) => ({ bits, images }))
      .sort((a, b) => a.bits - b.bits),
    network: [height, width],
    enlarged: pictures.filter((each) => each.width < width && each.height < height).length,
    distorted: pictures.filter((each) => stretch(each) > 1.2 || stretch(each) < 1 / 1.2).length,
    copies: findCopies(pictures),
    inverted: invertedOnes(pictures),
  };
}

function sizesOf(pictures: readonly Picture[]): SizeCount[] {
  return tally(pictures, (picture) => `${picture.width}×${picture.height}`)
    .map(([text, images]) => {
      const [width = 0, height = 0] = text.split('×').map(Number);
      return { width, height, images };
    })
    .sort((a, b) => b.images - a.images || b.width * b.height - a.width * a.height);
}

function tally<Key>(pictures: readonly Picture[], keyOf: (picture: Picture) => Key): [Key, number][] {
  const counts = new Map<Key, number>();
  for (const picture of pictures) counts.set(keyOf(picture), (counts.get(keyOf(picture)) ?? 0) + 1);
  return [...counts];
}

/** Below this correlation with the mean picture, a radiograph is taken for a negative. */
const NEGATIVE = -0.5;
/** Fewer pictures make no mean to compare with. */
const ENOUGH = 20;

/** Pictures against the mean of all: stored as MONOCHROME1 without its inversion, bones are black and the air is white. */
function invertedOnes(pictures: readonly Picture[]): string[] {
  if (pictures.length < ENOUGH) return [];
  const sum = new Float64Array(pictures[0]?.fingerprint.pixels.length ?? 0);
  for (const { fingerprint } of pictures) {
    for (const [i, value] of fingerprint.pixels.entries()) sum[i] = (sum[i] ?? 0) + value;
  }
  return pictures
    .filter(({ fingerprint }) => correlation(fingerprint.pixels, sum) < NEGATIVE)
    .map(({ row }) => row.image);
}

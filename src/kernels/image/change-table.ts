import { at } from '../../engine/graph/tensor.js';
import { claheTile } from './clahe-tile.js';

/**
 * The table that says how each picture of a batch is changed: one row a picture, the same number of u32 words in all.
 * Fractions are kept by their bits. A row of zeros changes nothing, so padding needs no care.
 */

/** Which changes a batch may hold: `false` for one that never happens, so that no kernel is made for it. */
export interface PossibleChanges {
  readonly flip: object | false;
  readonly affine: object | false;
  readonly clahe: { readonly tiles: number } | false;
  readonly brightnessContrast: object | false;
  readonly noise: object | false;
  readonly dropout: { readonly holes: number } | false;
}

/** The changes to one picture, in the order in which they are applied; null (or no holes) for one that wasn't drawn. */
export interface PictureChanges {
  readonly flip: boolean;
  /** Pixels to the right and down; larger than 1 enlarges; counter-clockwise as seen. */
  readonly move: {
    readonly shiftX: number;
    readonly shiftY: number;
    readonly scale: number;
    readonly radians: number;
  } | null;
  /** The most that a grey level may count in a tile, as a multiple of a flat histogram's. */
  readonly clahe: { readonly clip: number } | null;
  /** x·gain + offset. */
  readonly tone: { readonly gain: number; readonly offset: number } | null;
  /** `deviation` on the scale of the grey values; `key` are the two words of the noise's hash. */
  readonly noise: { readonly deviation: number; readonly key: readonly [number, number] } | null;
  /** In pixels; all of one size. */
  readonly holes: readonly {
    readonly top: number;
    readonly left: number;
    readonly height: number;
    readonly width: number;
  }[];
}

const WORDS = [
  'flip',
  'moved',
  // where a pixel comes from, less where it lies, in pixels: (xx, xy, x0; yx, yy, y0) · (x − centre, y − centre, 1)
  'xx',
  'xy',
  'x0',
  'yx',
  'yy',
  'y0',
  // pixels of one grey level that count in a tile of CLAHE; 0: no CLAHE
  'clipLimit',
  'toned',
  'gain',
  'offset',
  // 0: no noise
  'deviation',
  'keyA',
  'keyB',
  // how many (top, left) follow
  'holes',
  'holeHeight',
  'holeWidth',
] as const;

type Word = (typeof WORDS)[number];

/** The shape of the table for `n` pictures; u32. */
export function changesShape(possible: PossibleChanges, n: number): [number, number] {
  return [n, WORDS.length + 2 * (possible.dropout ? possible.dropout.holes : 0)];
}

/**
 * The table of a batch of [n, height, width], for `changesShape`. Pictures beyond the last of `changes` stay as they are.
 * @throws RangeError for more pictures or holes than the table has places for
 */
export function packChanges(
  changes: readonly PictureChanges[],
  possible: PossibleChanges,
  [n, height, width]: readonly [number, number, number],
): Uint32Array<ArrayBuffer> {
  const [, length] = changesShape(possible, n);
  if (changes.length > n) throw new RangeError(`changes to ${changes.length} pictures for a batch of ${n}`);
  const words = new Uint32Array(n * length);
  const fractions = new Float32Array(words.buffer);
  const place = (picture: number, word: Word) => picture * length + WORDS.indexOf(word);
  changes.forEach(({ flip, move, clahe, tone, noise, holes }, picture) => {
    words[place(picture, 'flip')] = Number(flip);
    if (move !== null) {
      words[place(picture, 'moved')] = 1;
      fractions.set(displacement(move), place(picture, 'xx'));
    }
    if (clahe !== null && possible.clahe) {
      const { area } = claheTile([height, width], possible.clahe.tiles);
      words[place(picture, 'clipLimit')] = Math.max(1, Math.floor((clahe.clip * area) / 256));
    }
    if (tone !== null) {
      words[place(picture, 'toned')] = 1;
      fractions.set([tone.gain, tone.offset], place(picture, 'gain'));
    }
    if (noise !== null) {
      fractions[place(picture, 'deviation')] = noise.deviation;
      words.set(noise.key, place(picture, 'keyA'));
    }
    const [first] = holes;
    if (first === undefined) return;
    if (WORDS.length + 2 * holes.length > length) {
      throw new RangeError(`${holes.length} holes in a picture, more than the settings have`);
    }
    words.set([holes.length, first.height, first.width], place(picture, 'holes'));
    words.set(
      holes.flatMap(({ top, left }) => [top, left]),
      picture * length + WORDS.length,
    );
  });
  return words;
}

/** How far from a pixel the value lies that lands on it, as a function of the pixel: two rows of three. */
function displacement({ shiftX, shiftY, scale, radians }: NonNullable<PictureChanges['move']>): number[] {
  const cos = Math.cos(radians) / scale;
  const sin = Math.sin(radians) / scale;
  return [cos - 1, -sin, sin * shiftY - cos * shiftX, sin, cos - 1, -sin * shiftX - cos * shiftY];
}

/** WGSL that reads the table `changes` in the row of picture `picture`, where `length` is a row's. */
export function rowOf(length: number, picture: string) {
  const place = (word: Word) => `changes[${picture} * ${length}u + ${WORDS.indexOf(word)}u]`;
  return {
    whole: place,
    fraction: (word: Word) => `bitcast<f32>(${place(word)})`,
    /** The first word of hole number `hole`: its top; its left follows. */
    hole: (hole: string) => `${picture} * ${length}u + ${WORDS.length}u + 2u * ${hole}`,
  };
}

/** [n, height, width] of a batch, as the kernels of this folder take it. */
export function batchOf(shape: readonly number[]): { n: number; height: number; width: number } {
  return { n: at(shape, 0), height: at(shape, 1), width: at(shape, 2) };
}

import type { Dataset } from '../data/dataset.js';
import { Random } from '../engine/random.js';
import { smallPicture } from './small-picture.js';

/**
 * A few validation images that stay the same through a stage, with what the network says of them after each validation.
 * The recipe's seed chooses them, so that a resumed run shows those of before.
 */
export class WatchedImages {
  /** Of the data set, in the order in which they are shown. */
  readonly positions: readonly number[];
  readonly #dataset: Dataset;
  readonly #pictures = new Map<number, Promise<Uint8Array | null>>();
  #latest: Validated | null = null;
  #before: Validated | null = null;

  constructor(dataset: Dataset, seed: number) {
    this.#dataset = dataset;
    this.positions = chooseWatched(dataset, seed);
  }

  get classes(): readonly string[] {
    return this.#dataset.classes;
  }

  /** The last validation that was heard of, and the one before. */
  get validations(): { readonly latest: Validated | null; readonly before: Validated | null } {
    return { latest: this.#latest, before: this.#before };
  }

  /** @param probabilities [data set, classes] */
  validated(epoch: number, probabilities: Float32Array): void {
    const width = this.classes.length;
    const rows = this.positions.map((at) => probabilities.slice(at * width, (at + 1) * width));
    this.#before = this.#latest;
    this.#latest = { epoch, rows };
  }

  /** The name of a picture, as the table has it. @param place among those shown */
  image(place: number): string {
    return this.#dataset.row(this.#position(place)).image;
  }

  /** [classes] of 1, 0 and NaN. */
  labels(place: number): Float32Array {
    return this.#dataset.labels(this.#position(place));
  }

  /** A small PNG; null where there is no such place, or the picture can't be read any more. */
  picture(place: number): Promise<Uint8Array | null> {
    const position = this.positions[place];
    if (position === undefined) return Promise.resolve(null);
    const made = this.#pictures.get(place) ?? smallPicture(this.#dataset, position);
    this.#pictures.set(place, made);
    return made;
  }

  #position(place: number): number {
    const position = this.positions[place];
    if (position === undefined) throw new RangeError(`picture ${place} of ${this.positions.length}`);
    return position;
  }
}

export interface Validated {
  readonly epoch: number;
  /** Of each picture, [classes] probabilities. */
  readonly rows: readonly Float32Array[];
}

const MOST = 12;

/**
 * Positions of images with a labelled finding, drawn by the seed: as many sets of findings and patients as there are room for
 * come first, so that common findings leave some to the rare ones.
 */
export function chooseWatched(dataset: Dataset, seed: number, most = MOST): number[] {
  const drawn = new Random(seed, 'watched images').shuffle(
    Array.from({ length: dataset.length }, (_, i) => i),
  );
  const present = (position: number) =>
    [...dataset.labels(position).entries()].filter(([, label]) => label === 1).map(([c]) => c);
  const labelled = drawn.filter((position) => present(position).length > 0);
  const seen = { findings: new Set<string>(), patients: new Set<string>() };
  const first: number[] = [];
  const others: number[] = [];
  for (const position of labelled) {
    const findings = present(position).join();
    const patient = dataset.row(position).patient ?? `image ${position}`;
    if (seen.findings.has(findings) || seen.patients.has(patient)) {
      others.push(position);
      continue;
    }
    seen.findings.add(findings);
    seen.patients.add(patient);
    first.push(position);
  }
  return [...first, ...others].slice(0, most);
}

import { TailrayError } from '../../engine/errors.js';
import type { Dataset } from '../dataset.js';
import { ImageError, type ImageErrorKind } from './image-error.js';

/**
 * The look at every picture before training. An unreadable one is listed with its reason and kept out of training;
 * in predictions its row stays, with the note. It never becomes a black picture.
 */

export interface Quarantined {
  /** Position in the data set. */
  readonly position: number;
  readonly image: string;
  /** 1-based line of the table. */
  readonly line: number;
  readonly kind: ImageErrorKind;
  /** What was wrong, for the note in predictions. */
  readonly reason: string;
}

/** A damaged picture that is used all the same, because damaged ones are accepted. */
export interface AcceptedDamage {
  /** Position in the data set. */
  readonly position: number;
  readonly image: string;
  /** 1-based line of the table. */
  readonly line: number;
  /** What is wrong with it, for the note in predictions. */
  readonly damage: string;
}

export interface ScanResult {
  /** Positions of the data set whose pictures can be used, ascending. */
  readonly readable: Int32Array;
  readonly quarantined: readonly Quarantined[];
  /** Some of the readable ones. */
  readonly accepted: readonly AcceptedDamage[];
}

export interface ScanOptions {
  /** Refuse the data set if any picture is unreadable. */
  strict?: boolean;
  onProgress?: (done: number, total: number) => void;
}

/** Thrown by a strict scan. */
export class QuarantineError extends TailrayError {
  readonly quarantined: readonly Quarantined[];

  constructor(table: string, root: string, quarantined: readonly Quarantined[], total: number) {
    super(
      `${table}: ${describeQuarantine(quarantined, total)}\n` +
        `The image folder is ${root}. Repair them, take their rows out of the table, or allow training without them (not strict).`,
    );
    this.quarantined = quarantined;
  }
}

/** Pictures asked for at once: more than there are threads, so that none waits for work. */
const LOOKS = 64;

/**
 * Decodes every picture of a data set once; what the cache has room for stays there for training.
 * @throws QuarantineError when `strict` and a picture is unreadable; anything but an ImageError is passed on
 */
export async function scanImages(dataset: Dataset, options: ScanOptions = {}): Promise<ScanResult> {
  const readable: number[] = [];
  const quarantined: Quarantined[] = [];
  const accepted: AcceptedDamage[] = [];
  let next = 0;
  let done = 0;
  const look = async () => {
    while (next < dataset.length) {
      const position = next++;
      const { image, line } = dataset.row(position);
      try {
        await dataset.store.prepared(image, line);
        readable.push(position);
        const damage = dataset.store.damageOf(image);
        if (damage !== null) accepted.push({ position, image, line, damage });
      } catch (error) {
        if (!(error instanceof ImageError)) {
          next = dataset.length; // the other looks stop too
          throw error;
        }
        quarantined.push({ position, image, line, kind: error.kind, reason: error.reason });
      }
      options.onProgress?.(++done, dataset.length);
    }
  };
  await Promise.all(Array.from({ length: LOOKS }, look));
  quarantined.sort((a, b) => a.position - b.position);
  if (options.strict === true && quarantined.length > 0) {
    throw new QuarantineError(dataset.table.path, dataset.store.root, quarantined, dataset.length);
  }
  accepted.sort((a, b) => a.position - b.position);
  return { readable: Int32Array.from(readable).sort(), quarantined, accepted };
}

/** Counts by kind, and the first ten by name; then the damaged ones that are used all the same. */
export function describeQuarantine(
  quarantined: readonly Quarantined[],
  total: number,
  accepted: readonly AcceptedDamage[] = [],
): string {
  const used = describeAccepted(accepted);
  if (quarantined.length === 0) return [`all ${total} images are readable.`, ...used].join('\n');
  const kinds = new Map<ImageErrorKind, number>();
  for (const { kind } of quarantined) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  const counts = [...kinds].map(([kind, n]) => `${n} ${kind}`).join(', ');
  const shown = quarantined
    .slice(0, 10)
    .map(({ image, line, reason }) => `  line ${line}, ${image}: ${reason}`);
  if (quarantined.length > shown.length) shown.push(`  … and ${quarantined.length - shown.length} more`);
  if (accepted.length === 0 && quarantined.some(mayDecodeInPart)) {
    shown.push('  Damaged images can be used as far as they decode: --lenient.');
  }
  return [`${quarantined.length} of ${total} images can't be used (${counts}):`, ...shown, ...used].join(
    '\n',
  );
}

function describeAccepted(accepted: readonly AcceptedDamage[]): string[] {
  if (accepted.length === 0) return [];
  const shown = accepted.slice(0, 10).map(({ image, line, damage }) => `  line ${line}, ${image}: ${damage}`);
  if (accepted.length > shown.length) shown.push(`  … and ${accepted.length - shown.length} more`);
  const which = accepted.length === 1 ? '1 image is damaged' : `${accepted.length} images are damaged`;
  return [`${which} and used as far as possible:`, ...shown];
}

function mayDecodeInPart({ kind, reason }: Quarantined): boolean {
  return kind === 'truncated' || (kind === 'unreadable' && reason.includes('is damaged'));
}

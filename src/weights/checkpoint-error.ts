import { TailrayError } from '../engine/errors.js';

/** Why a checkpoint can't be used; one word per thing that a person would do differently about it. */
export type CheckpointErrorKind =
  /** no such file */
  | 'missing'
  /** no file of ours: no safetensors file, or one without our metadata */
  | 'foreign'
  /** PyTorch's own format, which is a program */
  | 'pickle'
  /** cut short, or changed since it was written */
  | 'damaged'
  /** whole, but of another model, other classes or other data than what it is to be used with */
  | 'mismatch'
  /** written by a later version */
  | 'newer';

/** A checkpoint or saved state that can't be used; names the file and what differs. */
export class CheckpointError extends TailrayError {
  readonly kind: CheckpointErrorKind;
  readonly path: string;

  constructor(kind: CheckpointErrorKind, path: string, reason: string, options?: ErrorOptions) {
    super(`${path}: ${reason}`, options);
    this.kind = kind;
    this.path = path;
  }
}

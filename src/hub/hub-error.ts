import { TailrayError } from '../engine/errors.js';

/** Why something can't be had from a hub; one word per thing that a person would do differently about it. */
export type HubErrorKind =
  /** no address of a repository or file, or a setting that is none */
  | 'address'
  /** only the cache may be used, and it lacks something */
  | 'offline'
  /** no answer, or the connection broke again and again */
  | 'unreachable'
  /** the hub says that there is no such repository, revision or file */
  | 'missing'
  /** private or gated, and there is no token, or it doesn't suffice */
  | 'denied'
  /** the hub answers, but not with what it should */
  | 'refused'
  /** bytes that are not those that the hub has a digest of */
  | 'damaged';

/** Something that can't be had from a hub; names the repository, the file and what to do. */
export class HubError extends TailrayError {
  readonly kind: HubErrorKind;

  constructor(kind: HubErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

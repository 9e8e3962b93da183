import { TailrayError } from '../../engine/errors.js';

/** Why an image cannot be used; one word per thing that a person would do differently about it. */
export type ImageErrorKind =
  /** no such file under the image folder */
  | 'missing'
  /** the identifier, or a link on its way, leads out of the image folder */
  | 'unsafePath'
  /** zero bytes */
  | 'empty'
  /** the bytes are no picture: text, a web page, another file renamed */
  | 'notAnImage'
  /** the file stops before its last pixel */
  | 'truncated'
  /** more pixels than allowed; nothing was decoded */
  | 'tooLarge'
  /** decodes, but every pixel has the same value: there is nothing to learn from */
  | 'blank'
  /** damaged inside, of a format that isn't read here, or refused by the operating system */
  | 'unreadable';

/** An image that cannot be used. Never turned into a black picture: it is listed, and its row is kept with a note. */
export class ImageError extends TailrayError {
  readonly kind: ImageErrorKind;
  /** The file, or the identifier where no file was found. */
  readonly path: string;
  /** 1-based line of the table that names the image, where there is a table. */
  readonly line: number | undefined;
  /** What was wrong, without path and line. */
  readonly reason: string;

  constructor(kind: ImageErrorKind, path: string, reason: string, line?: number, options?: ErrorOptions) {
    super(`${path}${line === undefined ? '' : ` (table line ${line})`}: ${reason}`, options);
    this.kind = kind;
    this.path = path;
    this.line = line;
    this.reason = reason;
  }

  /** The same error, with the table's line added. */
  atLine(line: number): ImageError {
    return new ImageError(this.kind, this.path, this.reason, line, { cause: this });
  }
}

import { TailrayError } from '../engine/errors.js';

/** Files that make no CLIP, or a CLIP that is asked for more than it has. */
export class ClipError extends TailrayError {}

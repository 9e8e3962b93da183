import { TailrayError } from '../engine/errors.js';

/** A recipe, or a change to one, that makes no sense; the message names the file, the line and the setting. */
export class RecipeError extends TailrayError {}

import { TailrayError } from '../../engine/errors.js';

/** Embeddings, prompts or rules of scoring that do not fit each other; says which class, prompt or image. */
export class ScoringError extends TailrayError {}

/** Labels of a class that is declared unseen were handed to a function that must never see one. */
export class UnseenLabelError extends TailrayError {}

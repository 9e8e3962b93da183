import type { Html } from '../html.js';

/** A part of the page with a title of its own, which the page frames and lists at the top. */
export interface Section {
  /** Ends the address of the section: `run-1-training`. */
  readonly key: string;
  readonly title: string;
  readonly content: Html;
}

import type { StepLine } from '../train/run/metrics-line.js';

/** More than the plots have pixels. */
const MOST = 2000;

/**
 * The logged steps that the live page draws. A run may have a million; so when there are too many, every second one is left
 * out from then on, and again when there are too many of those. Steps that are not finite stay.
 */
export class LoggedSteps {
  #kept: { readonly place: number; readonly line: StepLine }[] = [];
  #every = 1;
  #seen = 0;

  get lines(): readonly StepLine[] {
    return this.#kept.map(({ line }) => line);
  }

  /** One in so many logged steps is kept. */
  get every(): number {
    return this.#every;
  }

  add(line: StepLine): void {
    const place = this.#seen++;
    if (!this.#keeps(place, line)) return;
    this.#kept.push({ place, line });
    if (this.#kept.length <= MOST) return;
    this.#every *= 2;
    this.#kept = this.#kept.filter((each) => this.#keeps(each.place, each.line));
  }

  #keeps(place: number, { loss, gradientNorm }: StepLine): boolean {
    return place % this.#every === 0 || loss === null || gradientNorm === null;
  }
}

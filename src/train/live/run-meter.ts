/** How fast a run goes: the pace since its first step, validations included. */
export class RunMeter {
  #from = 0;
  #at = 0;
  #started = 0;
  #now = 0;
  #images = 0;

  /** @param images of a step */
  start(step: number, images: number): void {
    this.#images = images;
    this.restart(step);
  }

  /** From another step on. */
  restart(step: number): void {
    this.#from = step;
    this.#at = step;
    this.#started = performance.now();
    this.#now = this.#started;
  }

  step(step: number): void {
    this.#at = step;
    this.#now = performance.now();
  }

  get #secondsPerStep(): number {
    return (this.#now - this.#started) / 1000 / Math.max(1, this.#at - this.#from);
  }

  get imagesPerSecond(): number {
    return this.#secondsPerStep > 0 ? this.#images / this.#secondsPerStep : 0;
  }

  secondsLeft(step: number, totalSteps: number): number {
    return (totalSteps - step) * this.#secondsPerStep;
  }
}

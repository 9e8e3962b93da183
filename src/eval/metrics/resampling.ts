import { bcaInterval, type Interval, noInterval } from './interval.js';

/** The values of several sheets on the data as they are, on draws of patients, and with patients left out. */
export class Resampling {
  /** [sheets] values each */
  readonly estimates: readonly Float64Array[];
  readonly draws: readonly (readonly Float64Array[])[];
  readonly jackknife: readonly (readonly Float64Array[])[];

  constructor(
    estimates: readonly Float64Array[],
    draws: readonly (readonly Float64Array[])[],
    jackknife: readonly (readonly Float64Array[])[],
  ) {
    this.estimates = estimates;
    this.draws = draws;
    this.jackknife = jackknife;
  }

  /** @param reason why draws say nothing of it, or null where they do */
  interval(
    statistic: (sheets: readonly Float64Array[]) => number,
    reason: string | null,
    level: number,
  ): Interval {
    const estimate = statistic(this.estimates);
    if (reason !== null) return noInterval(estimate, level, 0, reason);
    const [draws, jackknife] = [this.draws.map(statistic), this.jackknife.map(statistic)];
    return bcaInterval({ estimate, draws, jackknife }, level);
  }
}

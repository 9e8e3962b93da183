import type { Fold } from './fold.js';

/**
 * Mean and sum of squared deviations in one read, to full precision however far the mean is from zero: Welford's
 * update within a chunk, Chan, Golub & LeVeque's merge between chunks ("Updating formulae and a pairwise algorithm for
 * computing sample variances", 1979). Shared by the normalisations.
 */
export const momentsState: Pick<Fold, 'state' | 'empty' | 'merge'> = {
  state: { vectors: ['mean', 'squares'], scalars: ['count'] },
  empty: 'State()',
  merge: `fn include(s: State, x: T) -> State {
  let count = s.count + 1.0;
  let delta = x - s.mean;
  let mean = s.mean + delta * (1.0 / count);
  return State(mean, s.squares + delta * (x - mean), count);
}
fn merge(a: State, b: State) -> State {
  let count = max(a.count + b.count, 1.0);
  let delta = b.mean - a.mean;
  return State(
    a.mean + delta * (b.count / count),
    a.squares + b.squares + delta * delta * (a.count * b.count / count),
    a.count + b.count,
  );
}`,
};

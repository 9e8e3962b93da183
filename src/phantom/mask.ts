/** Where a finding is, by what its drawing changes. */

/**
 * Line integrals of attenuation count as changed from here on: 0.1 is a tenth of the X-rays. Of a faint finding a fifth of its
 * own largest change is enough, down to what noise hides.
 */
const CHANGE = { share: 0.2, least: 0.03, most: 0.1 };

/**
 * @param before @param after line integrals, [oversampling·size]² @returns [size, size] of 1 and 0; undefined where nothing is
 * changed enough to be seen
 */
export function maskOfChange(
  before: Float32Array,
  after: Float32Array,
  { size, oversampling }: { size: number; oversampling: number },
): Uint8Array | undefined {
  const wide = size * oversampling;
  const change = new Float32Array(size * size);
  const share = 1 / (oversampling * oversampling);
  for (let i = 0; i < before.length; i++) {
    const row = Math.floor(Math.floor(i / wide) / oversampling);
    const place = row * size + Math.floor((i % wide) / oversampling);
    const difference = Math.abs((after[i] as number) - (before[i] as number));
    change[place] = (change[place] as number) + share * difference;
  }
  let most = 0;
  for (const value of change) most = Math.max(most, value);
  const threshold = Math.min(CHANGE.most, Math.max(CHANGE.least, CHANGE.share * most));
  return most > threshold ? Uint8Array.from(change, (value) => Number(value > threshold)) : undefined;
}

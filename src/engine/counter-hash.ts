/**
 * Random bits without a state: `counterHash(i, a, b)` are 32 bits for element `i` under the two words of a key, by rounds
 * of lowbias32 (Wellons 2018). Order and grid don't matter, and every adapter gives the same bits, since all of it is
 * whole numbers.
 */
export const COUNTER_HASH = `fn scramble(value: u32) -> u32 {
  var h = value;
  h = (h ^ (h >> 16u)) * 0x7feb352du;
  h = (h ^ (h >> 15u)) * 0x846ca68bu;
  return h ^ (h >> 16u);
}
fn counterHash(i: u32, a: u32, b: u32) -> u32 { return scramble(scramble(scramble(i) ^ a) ^ b); }`;

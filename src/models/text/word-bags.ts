/**
 * Texts as bags of words, without a vocabulary: a word counts as itself and as its runs of 3 to 5 letters, and each of
 * these falls into one of a fixed number of buckets by its hash (Bojanowski et al. 2017, arXiv 1607.04606). So words that
 * nobody has seen share buckets with those that they resemble: bronchiectasis with atelectasis.
 */

const SHORTEST = 3;
const LONGEST = 5;

/**
 * A word gives half of its weight to itself and half to its runs of letters.
 * @returns [texts, buckets], each row of length 1; a text without letters and digits is a row of zeros
 */
export function wordBags(texts: readonly string[], buckets: number): Float32Array {
  const bags = new Float32Array(texts.length * buckets);
  for (const [i, text] of texts.entries()) {
    const bag = bags.subarray(i * buckets, (i + 1) * buckets);
    for (const word of wordsOf(text)) {
      const runs = runsOf(word);
      const whole = runs.length > 0 ? 0.5 : 1;
      addTo(bag, word, whole);
      for (const run of runs) addTo(bag, run, (1 - whole) / runs.length);
    }
    const length = Math.hypot(...bag);
    if (length > 0) for (let k = 0; k < buckets; k++) bag[k] = (bag[k] ?? 0) / length;
  }
  return bags;
}

/** Letters and digits in a row, in lower case, with composed accents. */
function wordsOf(text: string): string[] {
  return (
    text
      .normalize('NFC')
      .toLowerCase()
      .match(/[\p{L}\p{M}\p{N}]+/gu) ?? []
  ).map((word) => `<${word}>`);
}

/** Runs that are shorter than the word with its marks of beginning and end. */
function runsOf(word: string): string[] {
  const letters = Array.from(word);
  const runs: string[] = [];
  for (let size = SHORTEST; size <= Math.min(LONGEST, letters.length - 1); size++) {
    for (let from = 0; from + size <= letters.length; from++) {
      runs.push(letters.slice(from, from + size).join(''));
    }
  }
  return runs;
}

function addTo(bag: Float32Array, feature: string, weight: number): void {
  const bucket = fnv1a(feature) % bag.length;
  bag[bucket] = (bag[bucket] ?? 0) + weight;
}

/** The 32-bit hash of Fowler, Noll and Vo (FNV-1a) of the text's UTF-8 bytes. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) {
    hash = Math.imul(hash ^ byte, 0x01000193);
  }
  return hash >>> 0;
}

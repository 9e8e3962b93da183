import type { Samples } from '../image-decoder.js';
import type { DicomHeader } from './dicom-header.js';

/**
 * From the words of a file to grey values: the stored bits are taken out, signed values moved up so that the smallest
 * possible one is 0, and pictures whose small values are white turned round. Rescaling by slope and intercept is left
 * out: it moves all values alike, and a window takes that out again. Its sign counts, and the file's own window, which
 * is given in rescaled values, was moved instead.
 * @param shifted whether the words are the file's own cells, in which the value has a place
 * @param decoded how many words are there, from the first on; the rest becomes black
 */
export function greyValues(
  words: Uint8Array | Uint16Array,
  header: DicomHeader,
  { shifted, decoded = words.length }: { readonly shifted: boolean; readonly decoded?: number },
): Samples {
  const { width, height, stored, highBit, signed, inverted, window } = header;
  const maximum = 2 ** stored - 1;
  const shift = shifted ? highBit - stored + 1 : 0;
  const flip = signed ? 2 ** (stored - 1) : 0;
  const turn = inverted ? maximum : 0;
  const values = stored > 8 ? new Uint16Array(words.length) : new Uint8Array(words.length);
  // moving two's complement up by half its range is flipping the sign bit, and turning round is flipping all bits
  const flips = flip ^ turn;
  for (let i = 0; i < decoded; i++) values[i] = (((words[i] as number) >> shift) & maximum) ^ flips;
  return {
    width,
    height,
    channels: 1,
    values,
    maximum,
    ...(window !== null && { window: inverted ? [maximum - window[1], maximum - window[0]] : window }),
  };
}

import type { Preprocessing } from './preprocessing.js';

/**
 * The preprocessing in words, a step a sentence: for whoever must do the same in another program.
 * @returns the steps in their order
 */
export function describePreprocessing({ size, channels, window, bits, mean, std }: Preprocessing): string[] {
  const [height, width] = size;
  const values = (list: readonly number[]) => list.join(', ');
  return [
    'Take the picture’s grey values; a colour picture becomes grey by ITU-R 601 (as PIL’s convert("L")).',
    ...(window.kind === 'dicom'
      ? ['Scale by the window that a DICOM file gives (its first, if linear), and clip. Where there is none:']
      : []),
    window.kind === 'full'
      ? 'Scale so that 0 becomes 0 and the largest value of the file’s depth (255 or 65535) becomes 1.'
      : `Scale so that the ${window.low} and ${window.high} percentiles become 0 and 1, and clip; they are taken from ` +
        'about 2,000 pixels on a regular grid.',
    `Resize to ${height} × ${width} (height × width), whatever the proportions: bilinear, antialiased when shrinking ` +
      '(as PIL’s BILINEAR, or torchvision’s with antialias=True).',
    ...(bits === 8 ? ['Round to whole multiples of 1/255.'] : []),
    ...(channels === 3 ? ['Repeat the grey values as three channels.'] : []),
    `From these values in [0, 1], subtract ${values(mean)}, and divide by ${values(std)}${mean.length > 1 ? ', by channel' : ''}.`,
  ];
}

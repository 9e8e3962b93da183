/** All 36 findings in one picture, each in the same patient, so that one sees at a glance what each of them changes. */

import { drawSheet, type SheetPicture } from '../data/images/sheet.js';
import { FINDINGS } from '../data/tables/findings.js';
import { drawPhantom } from './draw.js';
import type { View } from './patient.js';

const COLUMNS = 6;
const SHADE_STEPS = 64;

export interface ContactSheetOptions {
  readonly seed: number;
  /** Pixels a side of each picture. Default 192. */
  readonly size?: number;
  readonly view?: View;
}

/** @returns the bytes of an 8-bit PNG */
export function drawContactSheet({ seed, size = 192, view = 'PA' }: ContactSheetOptions): Uint8Array {
  const pictures = FINDINGS.map((name): SheetPicture => {
    const { pixels } = drawPhantom({ seed, size, view, findings: [name] });
    // fewer shades make a much smaller file and no difference to the eye
    const shades = Uint8Array.from(pixels, (value) => {
      const shade = Math.round((value / 65535) * (SHADE_STEPS - 1));
      return Math.round((shade * 255) / (SHADE_STEPS - 1));
    });
    return { pixels: shades, caption: name };
  });
  return drawSheet(pictures, { height: size, width: size, columns: COLUMNS });
}

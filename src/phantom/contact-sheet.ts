/** All 36 findings in one picture, each in the same patient, so that one sees at a glance what each of them changes. */

import { encodeGreyPng } from '../data/images/encode-png.js';
import { FINDINGS } from '../data/tables/findings.js';
import { drawPhantom } from './draw.js';
import { drawText, GLYPH_HEIGHT, GLYPH_WIDTH } from './glyphs.js';
import type { View } from './patient.js';

const COLUMNS = 6;
const GAP = 4;
const CAPTION = GLYPH_HEIGHT + 6;
const SHADE_STEPS = 64;

export interface ContactSheetOptions {
  readonly seed: number;
  /** Pixels a side of each picture. Default 192. */
  readonly size?: number;
  readonly view?: View;
}

/** @returns the bytes of an 8-bit PNG */
export function drawContactSheet({ seed, size = 192, view = 'PA' }: ContactSheetOptions): Uint8Array {
  const rows = Math.ceil(FINDINGS.length / COLUMNS);
  const width = COLUMNS * (size + GAP) + GAP;
  const height = rows * (size + CAPTION + GAP) + GAP;
  const sheet = new Uint8Array(width * height).fill(24);
  for (const [place, name] of FINDINGS.entries()) {
    const left = GAP + (place % COLUMNS) * (size + GAP);
    const top = GAP + Math.floor(place / COLUMNS) * (size + CAPTION + GAP);
    const { pixels } = drawPhantom({ seed, size, view, findings: [name] });
    for (let y = 0; y < size; y++) {
      for (let x = 0; x < size; x++) {
        // fewer shades make a much smaller file and no difference to the eye
        const shade = Math.round(((pixels[y * size + x] as number) / 65535) * (SHADE_STEPS - 1));
        sheet[(top + y) * width + left + x] = Math.round((shade * 255) / (SHADE_STEPS - 1));
      }
    }
    const fits = Math.floor(size / GLYPH_WIDTH);
    drawText(sheet, width, left + 1, top + size + 4, name.slice(0, fits), 230);
  }
  return encodeGreyPng(sheet, width, height);
}

/**
 * Colours of a map from 0 to 1: black over purple and orange to a light yellow, in the manner of matplotlib's magma. They are
 * drawn from OKLCh (Björn Ottosson 2020), a space in which equal steps look equal: lightness rises evenly, so that the order
 * of the colours is seen by people who see no hues, and in print, too.
 */

export type Rgb = readonly [red: number, green: number, blue: number];

const LIGHTNESS = { from: 0.17, to: 0.97 };
/** Degrees. */
const HUE = { from: 290, to: 460 };
/** Of the colours between the ends, which are nearly grey. */
const CHROMA = 0.19;
const STEPS = 256;

/** [256] colours, each 0…255. */
export const COLOUR_MAP: readonly Rgb[] = Array.from({ length: STEPS }, (_, i) => colourAt(i / (STEPS - 1)));

/** @param value 0…1; what lies outside takes the colour of the nearer end */
export function colourOf(value: number): Rgb {
  const step = Math.round(Math.min(1, Math.max(0, value)) * (STEPS - 1));
  return COLOUR_MAP[step] as Rgb;
}

function colourAt(t: number): Rgb {
  const lightness = LIGHTNESS.from + (LIGHTNESS.to - LIGHTNESS.from) * t;
  const hue = ((HUE.from + (HUE.to - HUE.from) * t) * Math.PI) / 180;
  // as much colour as the screen has at that lightness and hue
  for (let chroma = CHROMA * Math.sin(Math.PI * (0.12 + 0.8 * t)); chroma > 0; chroma -= 0.002) {
    const linear = linearRgb(lightness, chroma * Math.cos(hue), chroma * Math.sin(hue));
    if (linear.every((value) => value >= 0 && value <= 1)) return encoded(linear);
  }
  return encoded(linearRgb(lightness, 0, 0));
}

/** OKLab to linear sRGB, by Ottosson's matrices. */
function linearRgb(lightness: number, a: number, b: number): Rgb {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
}

/** The transfer function of sRGB (IEC 61966-2-1), to 8 bits. */
function encoded([red, green, blue]: Rgb): Rgb {
  const byte = (value: number) => {
    const clipped = Math.min(1, Math.max(0, value));
    const curved = clipped <= 0.0031308 ? 12.92 * clipped : 1.055 * clipped ** (1 / 2.4) - 0.055;
    return Math.round(255 * curved);
  };
  return [byte(red), byte(green), byte(blue)];
}

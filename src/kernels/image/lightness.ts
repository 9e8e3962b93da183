/**
 * The way of a grey value to L of CIELAB and back, at 8 bit. albumentations 1.3 runs CLAHE on the L of colour pictures,
 * so that a step of L is about as large to the eye everywhere. A grey picture has a = b = 0, and L is a curve of its
 * value; OpenCV's (4.6) is computed in whole numbers, whose roundings are repeated here.
 *
 * From grey to L the 256 answers are OpenCV's. From L to grey, 253 are OpenCV's for green (and luma) and 3 are higher
 * by one; OpenCV's red and blue are off from its green by one at 14 and 10 of the 256.
 */

/** For each grey value 0…255 its L, 0…255. */
export function greyToLightness(): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: 256 }, (_, grey) => {
    // light in steps of 1/2040, its cube root in steps of 2⁻¹⁵, L = 116·f − 16 with 116·255/100 rounded to 296
    const light = Math.round(2040 * fromGamma(grey / 255)) / 2040;
    const root = light > 0.008856 ? Math.cbrt(light) : 7.787 * light + 16 / 116;
    return (296 * Math.round(root * 2 ** 15) - 16 * 2.55 * 2 ** 15 + 2 ** 14) / 2 ** 15;
  });
}

/** For each L 0…255 its grey value, 0…255. */
export function lightnessToGrey(): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: 256 }, (_, level) => {
    const lightness = (level * 100) / 255;
    const light = lightness <= 8 ? lightness / 903.3 : ((lightness + 16) / 116) ** 3;
    // in steps of 2⁻¹⁴, then of 2⁻¹²
    const steps = Math.floor(Math.round(light * 2 ** 14) / 4 + 0.5);
    return Math.round(255 * toGamma(Math.min(1, steps / 2 ** 12)));
  });
}

/** From an sRGB value to an amount of light, both in [0, 1]; and back. */
function fromGamma(value: number): number {
  return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
}

function toGamma(light: number): number {
  return light <= 0.0031308 ? 12.92 * light : 1.055 * light ** (1 / 2.4) - 0.055;
}

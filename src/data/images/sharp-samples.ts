import sharp from 'sharp';
import { ImageDamage, type ImageHeader, type Samples } from './image-decoder.js';

/**
 * PNG and JPEG are decoded by libvips. It is asked for each file's own colour space, so nothing is converted,
 * gamma-corrected or narrowed to 8 bits on the way; colour profiles and orientation tags are ignored, as PIL ignores
 * them.
 * @param failOn from which severity on a flaw is an error
 * @throws ImageDamage 'tooLarge' after `seconds`; else what libvips says
 */
export async function sharpSamples(
  bytes: Uint8Array,
  header: ImageHeader,
  { failOn, seconds }: { failOn: 'none' | 'error' | 'warning'; seconds: number },
): Promise<Samples> {
  const deep = header.bits === 16;
  const colour = header.channels >= 3;
  const space = deep ? (colour ? 'rgb16' : 'grey16') : colour ? 'srgb' : 'b-w';
  const { data, info } = await sharp(bytes, {
    failOn,
    limitInputPixels: header.width * header.height,
    ignoreIcc: true,
  })
    .timeout({ seconds })
    .toColourspace(space)
    .raw({ depth: deep ? 'ushort' : 'uchar' })
    .toBuffer({ resolveWithObject: true })
    .catch((cause: unknown) => {
      if (!(cause instanceof Error && cause.message.startsWith('timeout'))) throw cause;
      throw new ImageDamage('tooLarge', `takes more than ${seconds} s to decode and was given up.`, {
        cause,
      });
    });
  return {
    width: info.width,
    height: info.height,
    channels: info.channels,
    values: deep ? new Uint16Array(data.buffer, data.byteOffset, data.length / 2) : data,
  };
}

/** The first line of an error of libvips, fit to stand in brackets. */
export function sharpReason(cause: unknown): string {
  const line = cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : String(cause);
  return line.replace(/:$/, '');
}

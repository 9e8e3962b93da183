import { describe, expect, test } from 'vitest';
import { decodeImageBytes } from '../../../src/data/images/decode.js';
import { MemoryLender } from '../../../src/data/images/decode-memory.js';
import { jpegOf, scansOf, zeroPng } from './built-files.js';

/** Small files that once took gigabytes or minutes. */
describe('a small file with a huge picture is refused by its header', () => {
  async function refusal(file: Buffer): Promise<string> {
    const [before, start] = [process.memoryUsage().rss, performance.now()];
    const error = await decodeImageBytes(file, 'a.img').then(
      () => 'decoded',
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ name: 'ImageError', kind: 'tooLarge', path: 'a.img' });
    expect(performance.now() - start).toBeLessThan(5000);
    expect(process.memoryUsage().rss - before).toBeLessThan(50 * 2 ** 20);
    return (error as { reason: string }).reason;
  }

  test('interlaced, 16-bit RGBA, eight at once', { timeout: 60_000 }, async () => {
    const file = zeroPng(9900, 9900, 16, 6, true);
    expect(file.length).toBeLessThan(1_000_000);
    const reasons = await Promise.all(Array.from({ length: 8 }, () => refusal(file)));
    expect(new Set(reasons)).toEqual(
      new Set([
        'is 9900 × 9900 pixels and takes 1.64 GiB to decode; more than the 1 GiB allowed, so it was not decoded.',
      ]),
    );
  });

  test.each([
    [1, 99_000_000],
    [99_000_000, 1],
  ])('%i × %i', { timeout: 60_000 }, async (width, height) => {
    expect(await refusal(zeroPng(width, height, 8, 0))).toMatch(/more than the 32768 allowed for a side/);
  });

  test('JPEGs with many scans', async () => {
    const jpeg = await jpegOf(new Uint8Array(64 * 64).fill(9), 64, { progressive: true });
    const [start, end] = scansOf(jpeg).at(-1)!;
    const scan = jpeg.subarray(start, end);
    const withScans = (n: number) =>
      Buffer.concat([jpeg.subarray(0, end), ...Array.from({ length: n }, () => scan), jpeg.subarray(end)]);
    expect(await refusal(withScans(20_000))).toMatch(/^has 20\d\d\d scans; more than the 64 allowed/);
    // a large size in the header: start of frame, length, precision, height, width
    const large = withScans(30);
    const frame = large.indexOf(Buffer.from([0xff, 0xc2]));
    large.writeUInt16BE(9000, frame + 5);
    large.writeUInt16BE(9000, frame + 7);
    expect(await refusal(large)).toMatch(
      /^is 9000 × 9000 pixels in 3\d scans; more than the 1500000000 pixels/,
    );
  });

  test('decoding that takes too long is given up, lenient or not', { timeout: 120_000 }, async () => {
    // noise in several scans: tens of megabytes of Huffman codes, which no machine decodes in a second
    const side = 9900;
    const noise = new Uint8Array(side * side);
    for (let i = 0, state = 1; i < noise.length; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      noise[i] = state >>> 24;
    }
    const file = await jpegOf(noise, side, { progressive: true });
    for (const lenient of [false, true]) {
      const start = performance.now();
      const error = await decodeImageBytes(file, 'a.jpg', { seconds: 1, lenient }).then(
        () => 'decoded',
        (thrown: unknown) => thrown,
      );
      expect(error).toMatchObject({
        kind: 'tooLarge',
        reason: 'takes more than 1 s to decode and was given up.',
      });
      expect(performance.now() - start).toBeLessThan(60_000);
    }
  });
});

describe('memory for decoding', () => {
  test('is lent in the order of asking, never more than there is, and comes back after a failure', async () => {
    const lender = new MemoryLender(10);
    const events: string[] = [];
    let [used, most] = [0, 0];
    const ask = (name: string, bytes: number, fails = false) =>
      lender
        .during(bytes, async () => {
          events.push(name);
          used += bytes;
          most = Math.max(most, used);
          await new Promise((resolve) => setTimeout(resolve, 5));
          used -= bytes;
          if (fails) throw new Error(name);
        })
        .catch(() => events.push(`${name} failed`));
    await Promise.all([ask('a', 6), ask('b', 4, true), ask('c', 10), ask('d', 1), ask('e', 9)]);
    expect(events.filter((name) => name.length === 1)).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(events).toContain('b failed');
    expect(most).toBe(10);
    await expect(lender.during(11, async () => 0)).rejects.toThrow(RangeError);
  });
});

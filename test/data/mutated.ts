import { Random } from '../../src/engine/random.js';

/** Damage as disks, networks and people do it, drawn from a seed. */

/** A copy of a file with one to four changes: bytes overwritten, cut, left out, doubled, or replaced by telling numbers. */
export function mutated(file: Uint8Array, seed: number): Buffer {
  const random = new Random(seed, 'mutation');
  let bytes = Buffer.from(file);
  const changes = 1 + random.int(4);
  for (let change = 0; change < changes; change++) {
    // headers stand at the front and are small beside the pixels: half of all changes go there
    const reach = random.chance(0.5) ? Math.min(2048, bytes.length) : bytes.length;
    const at = random.int(Math.max(1, reach));
    const length = 1 + random.int(16);
    switch (random.int(12)) {
      case 0:
        bytes = bytes.subarray(0, at);
        break;
      case 1:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
        break;
      case 2:
        bytes = Buffer.concat([bytes.subarray(0, at + length), bytes.subarray(at)]);
        break;
      case 3: {
        const telling = [
          'ffffffff',
          '00000000',
          'ffff',
          '0000',
          '7fffffff',
          'feff00e0',
          'feffdde0',
          '00000080',
          '534f',
        ];
        bytes.set(Buffer.from(random.pick(telling), 'hex').subarray(0, bytes.length - at), at);
        break;
      }
      case 4: {
        const from = random.int(Math.max(1, bytes.length));
        bytes.copyWithin(at, from, from + 4 * length);
        break;
      }
      default:
        if (at < bytes.length) bytes[at] = random.int(256);
    }
    bytes = Buffer.from(bytes);
  }
  return bytes;
}

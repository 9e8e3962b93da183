import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';

/**
 * What a hub calls a content by: large files by the SHA-256 of their bytes (64 digits), files that lie in git itself by
 * git's object name (40 digits), the SHA-1 of `blob <size>\0` and the bytes.
 */
export function contentHash(digest: string, size: number): Hash {
  return digest.length === 64 ? createHash('sha256') : createHash('sha1').update(`blob ${size}\0`);
}

/** The digest of a file, of the same kind as `digest`. */
export async function fileDigest(path: string, digest: string): Promise<string> {
  const { size } = await stat(path);
  const hash = contentHash(digest, size);
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

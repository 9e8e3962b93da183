/**
 * A fingerprint of a checkpoint's meaning (names, shapes, values, metadata), kept inside its own metadata. The
 * safetensors format has no checksum: without this, a flipped bit in a weight would load and predict.
 */

/** A tensor as its bytes, such as a safetensors file holds. */
export interface DigestedTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: ArrayBufferView;
}

/** Key of the metadata that holds the fingerprint. */
export const DIGEST_KEY = 'sha256';

/**
 * SHA-256, in hexadecimal, of a list of all metadata (but `DIGEST_KEY`) and of every tensor's name, dtype, shape and
 * the SHA-256 of its bytes. Independent of the order of either.
 */
export async function contentDigest(
  tensors: Iterable<readonly [name: string, tensor: DigestedTensor]>,
  metadata: Readonly<Record<string, string>>,
): Promise<string> {
  const pairs = Object.entries(metadata).filter(([key]) => key !== DIGEST_KEY);
  const rows: unknown[][] = [];
  for (const [name, { dtype, shape, data }] of tensors) {
    const bytes = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
    rows.push([name, dtype, shape, await sha256(bytes)]);
  }
  const list = { metadata: pairs.sort(byFirst), tensors: rows.sort(byFirst) };
  return sha256(JSON.stringify(list));
}

/** SHA-256 of bytes or of a text's UTF-8, in hexadecimal. */
export async function sha256(content: Uint8Array<ArrayBuffer> | string): Promise<string> {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function byFirst([a]: readonly unknown[], [b]: readonly unknown[]): number {
  return String(a) < String(b) ? -1 : 1;
}

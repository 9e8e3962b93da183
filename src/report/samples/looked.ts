/** Where a model looked, as the report shows it. The maps themselves are made elsewhere, where there is a device. */

/** What of an image spoke for a class. */
export interface Looked {
  /** [height, width] from 0 to 1, over the whole image. */
  readonly map: Float32Array;
  readonly width: number;
  readonly height: number;
  /** How it was made: `Grad-CAM`. */
  readonly method: string;
}

/** An image and the class that is asked about, as a column of the scores. */
export interface LookRequest {
  readonly image: string;
  readonly column: number;
}

/** Maps for all requests, in their order; null for an image that has none. */
export type LookAt = (requests: readonly LookRequest[]) => Promise<readonly (Looked | null)[]>;

/** The share of a map that lies on the left half of the image: on a frontal view, the patient's right. NaN for an empty map. */
export function leftShare({ map, width, height }: Looked): number {
  let [left, total] = [0, 0];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const value = map[y * width + x] ?? 0;
      // a column in the middle lies half on either side
      left += value * Math.min(1, Math.max(0, width / 2 - x));
      total += value;
    }
  }
  return left / total;
}

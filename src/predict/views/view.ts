/** [height, width, channels] */
export type ViewShape = readonly [height: number, width: number, channels: number];

/** @param images [n, height, width, channels] @returns the same shape; the images themselves where nothing changes */
export type View = (images: Float32Array, shape: ViewShape) => Float32Array;

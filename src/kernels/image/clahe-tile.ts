/**
 * How OpenCV cuts a picture into tiles × tiles: where one side is no multiple of `tiles`, both sides grow below and to
 * the right (by a whole `tiles` if they were a multiple), mirrored at the last row or column, which is not repeated.
 */
export function claheTile(
  [height, width]: readonly [number, number],
  tiles: number,
): { height: number; width: number; area: number } {
  const whole = height % tiles === 0 && width % tiles === 0;
  const side = (size: number) => (whole ? size / tiles : Math.floor(size / tiles) + 1);
  return { height: side(height), width: side(width), area: side(height) * side(width) };
}

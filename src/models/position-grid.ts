/** Positions of a grid over the image row by row, and in front of them those of tokens that have no place in it. */
export interface PositionGrid {
  readonly prefix: number;
  readonly rows: number;
  readonly columns: number;
}

/**
 * The lead letter that a radiographer lays on the cassette: L or R in a corner, drawn as strokes in the detector's
 * plane.
 */
import type { Random } from '../engine/random.js';
import type { TubePoint } from './grid.js';
import type { View } from './patient.js';
import type { Scene } from './scene.js';

export interface SideMarker {
  readonly letter: 'L' | 'R';
  /** Middle of the letter as a share of the image's width and height. */
  readonly column: number;
  readonly row: number;
  /** Height of the letter, cm. */
  readonly height: number;
}

/** Strokes in a box of width 0.6 and height 1 around the origin. */
const STROKES: Record<'L' | 'R', readonly (readonly [number, number])[][]> = {
  L: [
    [
      [-0.28, -0.5],
      [-0.28, 0.5],
      [0.3, 0.5],
    ],
  ],
  R: [
    [
      [-0.28, 0.5],
      [-0.28, -0.5],
      [0.12, -0.5],
      [0.3, -0.25],
      [0.12, 0],
      [-0.28, 0],
    ],
    [
      [0, 0],
      [0.3, 0.5],
    ],
  ],
};

const LEAD = 2.2;

/** @returns undefined where the marker was forgotten or lies outside the image */
export function sampleSideMarker(random: Random, view: View): SideMarker | undefined {
  if (random.chance(0.25)) return undefined;
  const letter = view === 'lateral' || random.chance(0.5) ? 'L' : 'R';
  const high = random.chance(0.8);
  const edge = random.uniform(0.05, 0.1);
  // the patient's left is on the viewer's right
  const column = letter === 'L' ? 1 - edge : edge;
  const row = high ? random.uniform(0.05, 0.14) : random.uniform(0.86, 0.95);
  return { letter, column, row, height: random.uniform(1.3, 2) };
}

export function drawSideMarker(scene: Scene, marker: SideMarker | undefined): void {
  if (marker === undefined) return;
  const { fieldCm } = scene.grid.frame;
  for (const stroke of STROKES[marker.letter]) {
    const path = stroke.map(([dx, dy]): TubePoint => {
      const column = marker.column + (dx * marker.height) / fieldCm;
      const row = marker.row + (dy * marker.height) / fieldCm;
      return [...scene.grid.planePoint(column, row), 0.15];
    });
    scene.grid.stroke(scene.extra, path, LEAD, () => 1);
  }
}

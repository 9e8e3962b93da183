/**
 * Where a finding may lie within a lung so that it can be seen: points with air around them, away from heart and domes.
 */
import type { Random } from '../engine/random.js';
import { mix, type Point3, type Side } from './geometry.js';
import type { Scene } from './scene.js';

export interface Zone {
  /** Share of the lung's height, 0 at the apex, 1 at the dome. */
  readonly from: number;
  readonly to: number;
  /** Share of the way from mediastinum to chest wall. */
  readonly inner?: number;
  readonly outer?: number;
  /** Least distance to the lung's surface, cm. */
  readonly margin?: number;
}

/** A random point of a lung within a zone; falls back to the zone's middle if the margin leaves no room. */
export function pointInLung(scene: Scene, side: Side, random: Random, zone: Zone): Point3 {
  const lung = scene.lung(side);
  const { inner = 0.3, outer = 0.95, margin = 0.6 } = zone;
  const height = lung.dome.top - lung.apexY;
  const at = (down: number, across: number, depth: number): Point3 => {
    const y = lung.apexY + down * height;
    const row = lung.row(y);
    return [side * mix(row.medial, row.lateral, across), y, row.middleZ + depth * row.halfDepth];
  };
  for (let attempt = 0; attempt < 24; attempt++) {
    const point = at(
      random.uniform(zone.from, zone.to),
      random.uniform(inner, outer),
      random.uniform(-0.75, 0.75),
    );
    if (lung.clearance(...point) >= margin) return point;
  }
  return at((zone.from + zone.to) / 2, (inner + outer) / 2, 0);
}

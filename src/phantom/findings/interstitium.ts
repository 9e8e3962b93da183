/** Disease of the lung's framework and airways: interstitial pattern and bronchiectasis. */
import type { Random } from '../../engine/random.js';
import { hilum, strokeMarking } from '../anatomy/vessels.js';
import {
  frontalArc,
  mix,
  type Point3,
  type Side,
  smoothstep,
  type TubePoint3,
  withRadius,
} from '../geometry.js';
import { pipe } from '../grid.js';
import { Texture } from '../noise.js';
import { pointInLung } from '../placement.js';
import type { Scene } from '../scene.js';
import { chooseSide, type PlanFinding } from './rule.js';

/** A net of fine lines and dots, densest at the bases and the periphery, with septal (Kerley B) lines. */
export const interstitialPattern: PlanFinding = (random) => {
  const severity = random.uniform(0.6, 1);
  const basal = random.chance(0.65);
  return {
    draw(scene) {
      const haze = new Texture(random, 2.2);
      for (const side of [-1, 1] as const) {
        const lung = scene.lung(side);
        scene.fill(side, 1, (u, v) => {
          const low = basal ? smoothstep(lung.apexY, lung.dome.top, v) : 0.75;
          return 0.2 * severity * low * (0.3 + 1.2 * haze.at(u, v));
        });
        drawNet(scene, side, random, Math.round(480 * severity), basal);
        drawSeptalLines(scene, side, random, severity);
      }
    },
  };
};

function drawNet(scene: Scene, side: Side, random: Random, lines: number, basal: boolean): void {
  const lung = scene.lung(side);
  const height = lung.dome.top - lung.apexY;
  for (let k = 0; k < lines; k++) {
    // denser towards base and wall
    const down = basal ? Math.sqrt(random.uniform(0.05, 1.15)) : random.uniform(0.05, 1.1);
    const across = Math.sqrt(random.uniform(0.04, 0.94));
    const y = lung.apexY + down * height;
    const row = lung.row(y);
    const x = side * mix(row.medial, row.lateral, across);
    const angle = random.uniform(0, Math.PI);
    const half = random.uniform(0.25, 0.6);
    const [dx, dy] = [half * Math.cos(angle), half * Math.sin(angle)];
    const bend = random.normal(0, 0.2);
    const z = row.middleZ + random.uniform(-0.6, 0.6) * row.halfDepth;
    const path: TubePoint3[] = [
      [x - dx, y - dy, z, 0.08],
      [x - bend * dy, y + bend * dx, z, 0.12],
      [x + dx, y + dy, z, 0.08],
    ];
    strokeMarking(scene, side, path, 4.2);
    if (k % 5 === 0) strokeMarking(scene, side, [[x, y, z, 0.2]], 4);
  }
}

/** Short horizontal lines that reach the pleura above the costophrenic angle. */
function drawSeptalLines(scene: Scene, side: Side, random: Random, severity: number): void {
  const lung = scene.lung(side);
  const count = Math.round(9 * severity);
  for (let k = 0; k < count; k++) {
    const y = lung.dome.top + lung.dome.height * 0.55 - 0.75 * k + 0.1 * random.normal();
    const row = lung.row(y);
    const length = random.uniform(1.2, 2);
    strokeMarking(
      scene,
      side,
      [
        [side * (row.lateral - 0.15), y, row.middleZ, 0.07],
        [side * (row.lateral - length), y - 0.15, row.middleZ, 0.05],
      ],
      4.5,
    );
  }
}

/** Widened bronchi with thick walls: pairs of parallel lines in profile, rings end on, mostly in the lower lobes. */
export const bronchiectasis: PlanFinding = (random, context) => {
  const side = chooseSide(random, context);
  const both = random.chance(0.5);
  const lower = random.chance(0.75);
  return {
    draw(scene) {
      const sides: Side[] = both ? [-1, 1] : [side];
      for (const one of sides) {
        drawTramTracks(scene, one, random, lower);
        drawRings(scene, one, random, lower);
      }
    },
  };
};

const THICK_WALL = pipe(0.38);

function drawTramTracks(scene: Scene, side: Side, random: Random, lower: boolean): void {
  const [hx, hy, hz] = hilum(scene.anatomy, side);
  const tracks = 5 + random.int(3);
  for (let k = 0; k < tracks; k++) {
    const angle = lower ? mix(0.35, 1.35, k / tracks) : mix(-1.2, -0.2, k / tracks);
    const length = random.uniform(4, 7);
    const start = random.uniform(1.2, 2.5);
    const radius = random.uniform(0.3, 0.5);
    const at = (way: number): Point3 => [
      hx + side * way * Math.cos(angle),
      hy + way * Math.sin(angle),
      hz - 0.15 * way,
    ];
    const path = withRadius([at(start), at(start + 0.5 * length), at(start + length)], radius);
    const seen = path.filter(([x, y, z]) => scene.inLung(side, [x, y, z], 0.2));
    scene.grid.stroke(scene.markings(side), scene.projection.tube(seen), 0.42, THICK_WALL);
  }
}

function drawRings(scene: Scene, side: Side, random: Random, lower: boolean): void {
  const rings = 9 + random.int(7);
  for (let k = 0; k < rings; k++) {
    const zone = lower ? { from: 0.55, to: 1, inner: 0.15, outer: 0.75 } : { from: 0.1, to: 0.5 };
    const centre = pointInLung(scene, side, random, zone);
    const radius = random.uniform(0.4, 0.75);
    scene.fillEllipsoid(side, { centre, axes: [radius, radius, 2.2 * radius] }, 0.02);
    const ring = frontalArc(centre, radius, radius * random.uniform(0.8, 1.1), 0, 6.2832, 12);
    scene.grid.stroke(scene.markings(side), scene.projection.tube(withRadius(ring, 0.15)), 0.75);
  }
}

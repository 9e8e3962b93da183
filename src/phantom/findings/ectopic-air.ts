/** Air where none belongs: under the skin, and under the diaphragm. */
import type { Random } from '../../engine/random.js';
import { AIR_EXCESS, SOFT_TISSUE } from '../attenuation.js';
import { bump, mix, type Side, type TubePoint3 } from '../geometry.js';
import type { Scene } from '../scene.js';
import { chooseSide, type PlanFinding } from './rule.js';

/** Streaks of air along the muscle fibres of chest wall and neck; the pectoral muscle shows as a fan. */
export const subcutaneousEmphysema: PlanFinding = (random, context) => {
  const side = chooseSide(random, context);
  const both = random.chance(0.45);
  const severity = random.uniform(0.6, 1);
  return {
    draw(scene) {
      const sides: Side[] = both ? [-1, 1] : [side];
      for (const one of sides) {
        drawWallStreaks(scene, one, random, severity);
        drawPectoralFan(scene, one, random, severity);
        drawNeckStreaks(scene, one, random, severity);
      }
    },
  };
};

function drawWallStreaks(scene: Scene, side: Side, random: Random, severity: number): void {
  const { anatomy } = scene;
  const count = Math.round(44 * severity);
  for (let k = 0; k < count; k++) {
    const y = random.uniform(3, 11 * anatomy.spacing);
    const length = random.uniform(2, 6);
    const layer = random.uniform(0.7, 0.9 + 0.62 * anatomy.wall);
    const radius = random.uniform(0.08, 0.22);
    const lean = random.normal(0, 0.12);
    const at = (v: number, shift: number): TubePoint3 => {
      const row = scene.lung(side).row(v);
      return [side * (row.lateral + layer + shift), v, random.uniform(-4, 4), radius];
    };
    const path = [at(y, 0), at(y + 0.5 * length, lean), at(y + length, 2 * lean)];
    scene.tube(path, 3.6 * AIR_EXCESS);
  }
}

/** Bundles of the great pectoral muscle converge on the armpit, with air between them. */
function drawPectoralFan(scene: Scene, side: Side, random: Random, severity: number): void {
  const { halfWidth, spacing } = scene.anatomy;
  const bundles = Math.round(17 * severity);
  const [ax, ay] = [side * 1.08 * halfWidth, 2.4 * spacing];
  for (let k = 0; k < bundles; k++) {
    const end = mix(1.4 * spacing, 8 * spacing, (k + random.uniform(-0.3, 0.3)) / bundles);
    const [ex, ey] = [side * mix(3.5, 7, k / bundles), end];
    const from = random.uniform(0.05, 0.3);
    const to = random.uniform(0.55, 0.98);
    const radius = random.uniform(0.1, 0.22);
    scene.tube(
      [
        [mix(ax, ex, from), mix(ay, ey, from), 8, radius],
        [mix(ax, ex, (from + to) / 2), mix(ay, ey, (from + to) / 2) - 0.3, 8.5, radius * 1.3],
        [mix(ax, ex, to), mix(ay, ey, to), 9, radius * 0.6],
      ],
      3.2 * AIR_EXCESS,
    );
  }
}

function drawNeckStreaks(scene: Scene, side: Side, random: Random, severity: number): void {
  const count = Math.round(16 * severity);
  for (let k = 0; k < count; k++) {
    const x = side * random.uniform(1.8, 6.5);
    const y = random.uniform(-7, -0.5);
    const length = random.uniform(1.5, 4);
    const radius = random.uniform(0.12, 0.28);
    scene.tube(
      [
        [x, y, 1, radius],
        [x + side * 0.25 * length, y + length, 1, radius * 0.8],
      ],
      3.2 * AIR_EXCESS,
    );
  }
}

/** Free abdominal air: a black crescent between the dome, now a thin line, and the liver or stomach below it. */
export const pneumoperitoneo: PlanFinding = (random) => {
  const both = random.chance(0.6);
  const thickness = random.uniform(0.9, 2.4);
  return {
    draw(scene) {
      drawCrescent(scene, -1, thickness);
      if (both) drawCrescent(scene, 1, 0.75 * thickness);
    },
  };
};

const DIAPHRAGM_THICKNESS = 0.28;

function drawCrescent(scene: Scene, side: Side, thickness: number): void {
  const lung = scene.lung(side);
  const { grid, extra, lateral } = scene;
  grid.visit((index, u, v) => {
    const across = lateral ? (-u - 2.2) / 6 : (u * side - lung.domeX) / 5.2;
    const room = thickness * bump(across);
    if (room < 0.1) return;
    const surface = lateral ? lung.diaphragmYAtDepth(-u) : lung.diaphragmY(u * side);
    const below = (v - surface - DIAPHRAGM_THICKNESS) / room;
    if (below <= 0 || below >= 1) return;
    // the pocket is a lens: deepest along the beam in its middle
    const depth = 8.5 * Math.sqrt(room / 2.4) * Math.min(1, 5 * below, 3.5 * (1 - below));
    extra[index] = (extra[index] as number) - SOFT_TISSUE * depth;
  });
}

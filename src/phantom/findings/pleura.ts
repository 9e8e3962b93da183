/** The pleural space: fluid, air, both, and thickening. */
import { CALCIUM_EXCESS } from '../attenuation.js';
import { bump, mix, type Side, smoothstep } from '../geometry.js';
import type { Lung } from '../lungs.js';
import { Texture } from '../noise.js';
import type { Anatomy } from '../patient.js';
import type { Scene } from '../scene.js';
import { chooseSide, type PlanFinding } from './rule.js';

/** Fluid that blunts the costophrenic angle and climbs the chest wall in a meniscus; a veil when lying. */
export const pleuralEffusion: PlanFinding = (random, context) => {
  const side = chooseSide(random, context);
  const both = random.chance(0.25);
  const size = random.uniform() ** 1.5;
  const otherSize = 0.5 * random.uniform() ** 1.5;
  return {
    adapt(anatomy) {
      if (!both) anatomy.mediastinalShift -= side * 2.2 * smoothstep(0.45, 1, size);
    },
    draw(scene) {
      drawFluid(scene, side, size);
      if (both) drawFluid(scene, side < 0 ? 1 : -1, otherSize);
    },
  };
};

/** @param size 0 a blunted angle, 1 most of the side */
function drawFluid(scene: Scene, side: Side, size: number): void {
  const lung = scene.lung(side);
  const level = lung.dome.top + 1.6 - 11 * size;
  const climb = 2.8 + 2.2 * Math.min(1, 2 * size);
  const supine = scene.projection.view === 'AP';
  scene.fill(side, 1, (u, v) => {
    const row = lung.row(v);
    if (scene.lateral) {
      const behind = -u - (row.middleZ - row.halfDepth);
      const before = row.middleZ + row.halfDepth + u;
      const surface = level - climb * (Math.exp(-behind / 2) + 0.6 * Math.exp(-before / 2));
      return smoothstep(0, 1.3, v - surface);
    }
    const gap = row.lateral - u * side;
    const surface = level - climb * (Math.exp(-gap / 1.7) + 0.25 * Math.exp((row.medial - u * side) / 1.5));
    const layer = smoothstep(0, supine ? 5 : 1.3, v - surface);
    const veil = supine ? 0.32 * Math.min(1, 2.5 * size) * smoothstep(lung.apexY, lung.dome.top, v) : 0;
    return Math.max(layer, veil);
  });
}

/** How far the lung has come off the chest wall at a level, cm. */
interface Collapse {
  readonly apex: number;
  readonly base: number;
}

function collapseGap(collapse: Collapse, lung: Lung, v: number): number {
  return mix(collapse.apex, collapse.base, smoothstep(lung.apexY, lung.dome.top, v));
}

/** Air outside the lung: a thin pleural line, nothing but black beyond it, a denser lung within. */
export const pneumothorax: PlanFinding = (random, context) => {
  const side = chooseSide(random, context);
  const size = random.uniform(0.12, 1);
  const collapse = { apex: 1.6 + 5 * size, base: 0.35 + 5.2 * size * size };
  return {
    adapt: (anatomy) => makeRoom(anatomy, side, size),
    draw(scene) {
      drawPleuralAir(scene, side, collapse);
    },
  };
};

/** Air above, fluid below, and between them a level as straight as a ruler. */
export const hydropneumothorax: PlanFinding = (random, context) => {
  const side = chooseSide(random, context);
  const size = random.uniform(0.35, 0.95);
  const collapse = { apex: 2.4 + 4 * size, base: 1.5 + 4.5 * size };
  const fluid = random.uniform(2, 8);
  return {
    adapt: (anatomy) => makeRoom(anatomy, side, 0.8 * size),
    draw(scene) {
      drawPleuralAir(scene, side, collapse);
      const level = scene.lung(side).dome.top + 1.2 - fluid;
      scene.fill(side, 1, (_u, v) => smoothstep(level - 0.1, level + 0.1, v));
    },
  };
};

/** Air under pressure pushes the mediastinum away and the dome down. */
function makeRoom(anatomy: Anatomy, side: Side, size: number): void {
  const tension = smoothstep(0.5, 1, size);
  anatomy.mediastinalShift -= side * 1.8 * tension;
  const dome = side < 0 ? anatomy.right : anatomy.left;
  dome.top += 1.2 * tension;
  dome.height -= 1.2 * tension;
}

function drawPleuralAir(scene: Scene, side: Side, collapse: Collapse): void {
  const lung = scene.lung(side);
  /** Distance of a place to the visceral pleura, positive in the air outside. */
  const outside = (u: number, v: number): number => {
    const gap = collapseGap(collapse, lung, v);
    if (scene.lateral) {
      const row = lung.row(v);
      return (
        0.7 * gap -
        Math.min((1 - Math.abs((-u - row.middleZ) / row.halfDepth)) * row.halfDepth, v - lung.apexY)
      );
    }
    return gap - lung.wallDistance(u * side, v);
  };
  const lost = (collapse.apex + collapse.base) / (2 * scene.anatomy.halfWidth);
  const denser = Math.min(0.75, scene.anatomy.lungDensity * (1 + 2.2 * lost));
  scene.fill(side, denser, (u, v) => (outside(u, v) < 0 ? 0.6 : 0));
  scene.fill(side, 0, (u, v) => smoothstep(-0.06, 0.06, outside(u, v)));
  // The visceral pleura is grazed by the beam, which is why so thin a membrane is seen.
  const chords = scene.chords(side);
  scene.grid.visit((index, u, v) => {
    if ((chords[index] as number) <= 0.5) return;
    const line = bump(outside(u, v) / 0.16);
    if (line > 0) scene.extra[index] = (scene.extra[index] as number) + 0.17 * line;
  });
}

/** Irregular soft tissue along the wall or over the apex, with straight or angular borders instead of a meniscus. */
export const pleuralThickening: PlanFinding = (random, context) => {
  const side = chooseSide(random, context);
  const apical = random.chance(0.3);
  const both = random.chance(apical ? 0.6 : 0.25);
  const thickness = random.uniform(1.2, 2.3);
  const middle = random.uniform(0.45, 0.9);
  const length = random.uniform(0.35, 0.6);
  const calcified = random.chance(0.2);
  const texture = new Texture(random, 1.6);
  return {
    draw(scene) {
      const sides: Side[] = both ? [-1, 1] : [side];
      for (const one of sides) {
        const lung = scene.lung(one);
        const bottom = lung.dome.top + lung.dome.height;
        const height = bottom - lung.apexY;
        const along = (v: number) =>
          apical ? bump((v - lung.apexY) / 7.5) : bump(((v - lung.apexY) / height - middle) / length);
        const depth = (u: number, v: number) => thickness * along(v) * (0.45 + 0.9 * texture.at(u * 0.7, v));
        const distance = (u: number, v: number) => {
          if (!scene.lateral) return lung.wallDistance(u * one, v);
          const row = lung.row(v);
          return Math.min(-u - row.middleZ + row.halfDepth, v - lung.apexY);
        };
        scene.fill(one, 1, (u, v) => {
          const d = depth(u, v);
          return d < 0.15 ? 0 : 0.95 * smoothstep(d + 0.2, d - 0.2, distance(u, v));
        });
        if (!calcified) continue;
        scene.grid.visit((index, u, v) => {
          if ((scene.chords(one)[index] as number) <= 0) return;
          const d = depth(u, v);
          if (d < 0.4 || texture.at(v, u) < 0.4) return;
          const plaque = bump((distance(u, v) - 0.5 * d) / 0.3);
          scene.extra[index] = (scene.extra[index] as number) + 0.5 * CALCIUM_EXCESS * plaque;
        });
      }
    },
  };
};

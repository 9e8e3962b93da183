/** How much air the lungs hold and where it went: hyperinflation, emphysema, bulla, hypoexpansion, raised dome, collapse. */
import { hilum } from '../anatomy/vessels.js';
import { SOFT_TISSUE } from '../attenuation.js';
import {
  frontalArc,
  mix,
  type Point3,
  type Side,
  smoothstep,
  type TubePoint3,
  withRadius,
} from '../geometry.js';
import { ribbon } from '../grid.js';
import { domeOf } from '../patient.js';
import { pointInLung } from '../placement.js';
import type { Scene } from '../scene.js';
import { chooseSide, type PlanFinding } from './rule.js';

/** Low, flat domes, a deep chest, a narrow heart. */
export const hyperinflatedLung: PlanFinding = (random) => {
  const severity = random.uniform(0.6, 1);
  return {
    adapt(anatomy) {
      for (const dome of [anatomy.right, anatomy.left]) {
        dome.top += 1.7 * severity * anatomy.spacing;
        dome.height -= 3.1 * severity;
      }
      anatomy.depth *= 1 + 0.13 * severity;
      anatomy.ribSlope -= 1.6 * severity;
      anatomy.cardiothoracicRatio *= 1 - 0.14 * severity;
      anatomy.lungDensity *= 1 - 0.12 * severity;
    },
  };
};

/** Destroyed, over-transparent lung with few and thin vessels, worst in the upper zones. */
export const emphysema: PlanFinding = (random) => {
  const severity = random.uniform(0.6, 1);
  return {
    adapt(anatomy) {
      for (const dome of [anatomy.right, anatomy.left]) {
        dome.top += 0.5 * severity * anatomy.spacing;
        dome.height -= 1.6 * severity;
      }
      anatomy.depth *= 1 + 0.1 * severity;
      anatomy.cardiothoracicRatio *= 1 - 0.1 * severity;
      anatomy.lungDensity *= 1 - 0.38 * severity;
      anatomy.vessels.peripheral *= 1 - 0.75 * severity;
      anatomy.vessels.scale *= 1 - 0.25 * severity;
      anatomy.hila.scale *= 1 + 0.2 * severity;
    },
    draw(scene) {
      for (const side of [-1, 1] as const) {
        const holes = 8 + random.int(5);
        for (let k = 0; k < holes; k++) {
          const radius = random.uniform(1.2, 2.6);
          const centre = pointInLung(scene, side, random, {
            from: 0.05,
            to: 0.6,
            inner: 0.35,
            margin: 0.4 * radius,
          });
          scene.fillEllipsoid(side, { centre, axes: [radius, radius, 2.4 * radius] }, 0.02, 0.9);
        }
      }
    },
  };
};

/** A single large air space with a hairline wall. */
export const bulla: PlanFinding = (random, context) => {
  const side = chooseSide(random, context);
  const radius = random.uniform(2.4, 4.2);
  const flatness = random.uniform(0.85, 1.15);
  return {
    draw(scene) {
      const zone = { from: 0.15, to: 0.5, inner: 0.4, outer: 0.7, margin: 0.6 * radius };
      const centre = pointInLung(scene, side, random, zone);
      const axes: Point3 = [radius, radius * flatness, 1.9 * radius];
      scene.fillEllipsoid(side, { centre, axes }, 0, 1);
      const wall = frontalArc(centre, radius, radius * flatness, 0, 6.2832, 40);
      const inside = wall.filter((point) => scene.inLung(side, point, 0));
      scene.tube(withRadius(inside, 0.1), 5.5 * SOFT_TISSUE);
    },
  };
};

/** A shallow breath: both domes high, the heart broad, vessels crowded. */
export const hypoexpansion: PlanFinding = (random) => {
  const severity = random.uniform(0.65, 1);
  return {
    adapt(anatomy) {
      for (const dome of [anatomy.right, anatomy.left]) dome.top -= 2.5 * severity * anatomy.spacing;
      anatomy.cardiothoracicRatio = Math.min(0.53, anatomy.cardiothoracicRatio + 0.05 * severity);
      anatomy.lungDensity *= 1 + 0.35 * severity;
      anatomy.vessels.scale *= 1 + 0.12 * severity;
      anatomy.ribSlope += 1.2 * severity;
    },
  };
};

/** One dome far above its place (the right stands higher by less than 3 cm in health). */
export const hemidiaphragmElevation: PlanFinding = (random) => {
  const side: Side = random.chance(0.6) ? -1 : 1;
  const lift = random.uniform(4, 7);
  return {
    adapt(anatomy) {
      const dome = domeOf(anatomy, side);
      const other = domeOf(anatomy, side < 0 ? 1 : -1);
      dome.top = other.top - lift;
      dome.height += 1.2;
      if (side > 0) anatomy.gastricBubble = Math.max(anatomy.gastricBubble, 0.7);
    },
  };
};

type Collapse = 'plate' | 'left lower lobe' | 'right upper lobe' | 'lung';

/** Lost volume: plates at the base, or a lobe that folds up and pulls its neighbours along. */
export const atelectasis: PlanFinding = (random, context) => {
  const draw = random.uniform();
  const kind: Collapse =
    draw < 0.5 ? 'plate' : draw < 0.75 ? 'left lower lobe' : draw < 0.93 ? 'right upper lobe' : 'lung';
  const preferred = chooseSide(random, context);
  const side: Side = kind === 'left lower lobe' ? 1 : kind === 'right upper lobe' ? -1 : preferred;
  const degree = random.uniform(0.4, 1);
  return {
    adapt(anatomy) {
      const pull = { plate: 0, 'left lower lobe': 0.9, 'right upper lobe': 0.7, lung: 3.2 }[kind];
      anatomy.mediastinalShift += side * pull * degree;
      if (kind === 'right upper lobe') anatomy.tracheaDeviation -= 1.1 * degree;
      domeOf(anatomy, side).top -= (kind === 'plate' ? 0.8 : 1.6) * degree;
    },
    draw(scene) {
      if (kind === 'plate') {
        const plates = 2 + random.int(2);
        for (let k = 0; k < plates; k++) drawPlate(scene, side, k, random.uniform(-1, 1), degree);
      } else if (kind === 'left lower lobe') drawSail(scene, degree);
      else if (kind === 'right upper lobe') drawUpperLobe(scene, degree);
      else scene.fill(side, 1, () => 0.92);
    },
  };
};

/** A band of airless lung seen on edge, a little above the dome. */
function drawPlate(scene: Scene, side: Side, rank: number, tilt: number, degree: number): void {
  const lung = scene.lung(side);
  const y = lung.dome.top - 1.0 - 1.9 * rank;
  const row = lung.row(y);
  const from = mix(row.medial, row.lateral, 0.15 + 0.12 * rank);
  const to = mix(row.medial, row.lateral, 0.85);
  const radius = 0.26 + 0.18 * degree;
  const path: TubePoint3[] = [
    [side * from, y + 0.6 * tilt, 0, radius * 0.25],
    [side * ((from + to) / 2), y - 0.1, 0, radius],
    [side * to, y - 0.6 * tilt, 0, radius * 0.4],
  ];
  const profile = ribbon(4.5);
  scene.grid.stroke(scene.markings(side), scene.projection.tube(path), 0.7 * SOFT_TISSUE, profile);
}

/** A collapsed left lower lobe: a triangle behind the heart with a straight outer edge, like a sail. */
function drawSail(scene: Scene, degree: number): void {
  const [x, y] = hilum(scene.anatomy, 1);
  const bottom = scene.left.dome.top + 3;
  const reach = x + mix(5.2, 2.6, degree);
  scene.fill(1, 1, (u, v) => {
    if (scene.lateral) return 0.8 * smoothstep(y, bottom, v) * smoothstep(4.5, 6.5, u);
    const edge = mix(x - 1.4, reach, (v - y) / (bottom - y));
    return v < y - 0.5 ? 0 : 0.85 * smoothstep(edge + 0.25, edge - 0.25, u);
  });
}

/** A collapsed right upper lobe: white above a minor fissure that has been drawn upwards. */
function drawUpperLobe(scene: Scene, degree: number): void {
  const [, y] = hilum(scene.anatomy, -1);
  const { lateral: wall } = scene.right.row(5);
  scene.fill(-1, 1, (u, v) => {
    const out = scene.lateral ? Math.abs(u) : -u;
    const across = out / wall;
    const fissure = y - 0.6 - (1.2 + 3.6 * degree) * across * across + 0.8 * Math.sin(3.1 * across);
    return 0.75 * smoothstep(fissure + 0.2, fissure - 0.2, v);
  });
}

/** Masses and vessels of the mediastinum and hila: hernia, adenopathy, goiter, enlarged arteries, azygos lobe. */
import { carinaY, tracheaPath } from '../anatomy/mediastinum.js';
import { hilum } from '../anatomy/vessels.js';
import { AIR_EXCESS, CALCIUM_EXCESS, SOFT_TISSUE } from '../attenuation.js';
import { curveThrough, type Point3, type Side, smoothstep, type TubePoint3 } from '../geometry.js';
import type { Ellipsoid } from '../projection.js';
import type { Scene } from '../scene.js';
import type { PlanFinding } from './rule.js';

/** Soft tissue that pushes lung aside on whichever side it reaches. */
function displaceLung(scene: Scene, shape: Ellipsoid): void {
  for (const side of [-1, 1] as const) scene.fillEllipsoid(side, shape, 1);
}

/** Hiatal hernia: a round mass behind the heart that holds air over a fluid level. */
export const hiatalHernia: PlanFinding = (random) => {
  const radius = random.uniform(3.3, 5);
  const offset = random.uniform(-0.3, 2.8);
  const gas = random.uniform(0.55, 0.95);
  return {
    adapt(anatomy) {
      anatomy.gastricBubble = 0;
    },
    draw(scene) {
      const { grid, extra, projection, anatomy } = scene;
      const centre: Point3 = [offset, anatomy.left.top - 0.8 * radius, -3.6];
      displaceLung(scene, { centre, axes: [radius, 0.95 * radius, 4.2] });
      const inner = 0.9 * radius;
      const shape = projection.ellipsoid({ centre, axes: [inner, 0.95 * inner, 0.8 * inner] });
      const upright = projection.view !== 'AP';
      const level = shape.v + 0.2 * radius;
      grid.visitNear(shape.u, shape.v, radius + 0.3, (index, u, v) => {
        const du = u - shape.u;
        const dv = v - shape.v;
        const inside = 1 - (shape.quu * du * du + shape.qvv * dv * dv);
        if (inside <= 0) return;
        const air = upright ? smoothstep(level + 0.09, level - 0.09, v) : 0.6;
        const chord = 2 * shape.halfDepth * Math.sqrt(inside);
        extra[index] = (extra[index] as number) + AIR_EXCESS * chord * gas * air;
      });
    },
  };
};

/** Enlarged nodes: lumpy hila on both sides and a wide right paratracheal stripe. */
export const adenopathy: PlanFinding = (random) => {
  const size = random.uniform(1.25, 1.85);
  const paratracheal = random.chance(0.75);
  const window = random.chance(0.5);
  return {
    draw(scene) {
      const carina = carinaY(scene.anatomy);
      const shift = scene.anatomy.mediastinalShift;
      for (const side of [-1, 1] as const) {
        const [x, y, z] = hilum(scene.anatomy, side);
        const nodes: Ellipsoid[] = [];
        for (let k = 0; k < 4; k++) {
          const radius = size * random.uniform(0.85, 1.2);
          const centre: Point3 = [
            x + side * random.uniform(-0.3, 1.3),
            y - 2 + 1.35 * k + random.uniform(-0.4, 0.4),
            z + random.normal(0, 0.8),
          ];
          nodes.push({ centre, axes: [radius, 1.1 * radius, 2 * radius] });
        }
        scene.fillUnion(side, nodes, 1);
      }
      if (paratracheal) {
        const nodes = [carina - 4.4, carina - 2.6, carina - 0.8].map((y): Ellipsoid => {
          const radius = 1.15 * size * random.uniform(0.85, 1.05);
          return { centre: [-2.2 + shift, y, -1], axes: [radius, 1.3 * radius, 4] };
        });
        scene.fillUnion(-1, nodes, 1);
      }
      if (window) displaceLung(scene, { centre: [3.6 + shift, carina + 0.2, -1], axes: [1.5, 1.5, 4] });
    },
  };
};

/** A thyroid that has grown into the thorax: a smooth mass at the inlet that pushes the trachea aside. */
export const goiter: PlanFinding = (random) => {
  const side: Side = random.chance(0.6) ? -1 : 1;
  const size = random.uniform(0.85, 1.25);
  const calcified = random.chance(0.3);
  return {
    adapt(anatomy) {
      anatomy.tracheaDeviation -= side * random.uniform(1.3, 2.2);
    },
    draw(scene) {
      const { grid, projection } = scene;
      const lower: Ellipsoid = {
        centre: [side * 2.5, 1.6, -0.5],
        axes: [3.1 * size, 4.2 * size, 5],
        turn: side * 0.1,
      };
      displaceLung(scene, lower);
      displaceLung(scene, { centre: [-side * 1.6, 1.2, -0.5], axes: [2 * size, 3.2 * size, 4] });
      // above the clavicles the gland bulges the neck forwards
      const neck = projection.ellipsoid({
        centre: [side * 1.9, -1.5, 3],
        axes: [3.1 * size, 3.4 * size, 0.5],
      });
      grid.ellipsoid(scene.body, neck, 1);
      if (calcified) {
        const flecks: Point3[] = [
          [side * 2.4, 0.2, 0],
          [side * 3.2, 1.4, 0],
        ];
        for (const centre of flecks) scene.solid({ centre, axes: [0.4, 0.3, 0.4] }, CALCIUM_EXCESS);
      }
    },
  };
};

/** Large central pulmonary arteries that taper fast, on both sides. */
export const vascularHilarEnlargement: PlanFinding = (random) => {
  const scale = random.uniform(2, 2.6);
  return {
    adapt(anatomy) {
      anatomy.hila.scale *= scale;
      anatomy.vessels.scale *= 1.1;
    },
  };
};

/** An azygos lobe: a hairline that bows from the right apex down to the azygos vein, seen end on as a teardrop. */
export const azygosLobe: PlanFinding = (random) => {
  const width = random.uniform(5.2, 6.6);
  const depth = random.uniform(-1.4, -0.2);
  return {
    draw(scene) {
      const { anatomy, right } = scene;
      const end = carinaY(anatomy) + depth - 0.8;
      const top = right.apexY + 0.35;
      const path = curveThrough<TubePoint3>(
        [
          [-width + 0.5, top, -2, 0.07],
          [-width - 0.1, top + 0.3 * (end - top), -2, 0.085],
          [-width + 0.9, top + 0.68 * (end - top), -2, 0.1],
          [-3.2, end, -2, 0.16],
        ],
        8,
      );
      // the four layers of pleura are seen because they run along the beam
      scene.tube(path, scene.lateral ? 0.6 * SOFT_TISSUE : 5.5 * SOFT_TISSUE);
      const vein: Ellipsoid = { centre: [-3.0, end + 0.25, -2], axes: [0.72, 1.1, 2.6], turn: -0.45 };
      scene.fillEllipsoid(-1, vein, 1);
      // the vein is missing from its usual place beside the trachea; the lobe within the fissure is a trace denser
      scene.fill(-1, 1, (u, v) => {
        if (scene.lateral || v > end) return 0;
        const t = (v - top) / (end - top);
        const edge = -width + 3 * t * t * t;
        return 0.045 * smoothstep(edge - 0.1, edge + 0.1, u);
      });
    },
  };
};

/** Middle of the trachea at a level, for devices that lie within it. */
export function tracheaAt(scene: Scene, y: number): Point3 {
  const path = tracheaPath(scene.anatomy);
  const point = path.find((candidate) => candidate[1] >= y) ?? path[path.length - 1];
  return point === undefined ? [0, y, 0] : [point[0], point[1], point[2]];
}

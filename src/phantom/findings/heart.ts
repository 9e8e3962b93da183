/** Heart and aorta: cardiomegaly, aortic elongation, aortic atheromatosis. */
import { aortaPath, aorticKnob } from '../anatomy/mediastinum.js';
import { CALCIUM_EXCESS } from '../attenuation.js';
import { frontalArc, type TubePoint3, withRadius } from '../geometry.js';
import type { PlanFinding } from './rule.js';

/** A cardiothoracic ratio well above one half. */
export const cardiomegaly: PlanFinding = (random) => {
  const ratio = random.uniform(0.57, 0.7);
  return {
    adapt(anatomy) {
      anatomy.cardiothoracicRatio = ratio;
      anatomy.vessels.scale *= 1.08;
    },
  };
};

/** A long, unfolded aorta: high and prominent knob, wide ascending border, winding descending aorta. */
export const aorticElongation: PlanFinding = (random) => {
  const elongation = random.uniform(0.75, 1.3);
  return {
    adapt(anatomy) {
      anatomy.aorta.elongation = elongation;
      anatomy.aorta.radius += 0.12;
      anatomy.age = Math.max(anatomy.age, 60);
    },
  };
};

/** Curved lines of calcium in the wall of the aortic knob and down the descending aorta. */
export const aorticAtheromatosis: PlanFinding = (random) => {
  const thickness = random.uniform(0.15, 0.24);
  const extent = random.uniform(0.8, 1.5);
  const start = random.uniform(-2.1, -1.5);
  const plaques = 3 + random.int(3);
  const places = Array.from({ length: plaques }, () => random.uniform(0, 1));
  return {
    adapt(anatomy) {
      anatomy.aorta.elongation = Math.max(anatomy.aorta.elongation, 0.3);
      anatomy.aorta.radius += 0.08;
    },
    draw(scene) {
      const { anatomy } = scene;
      const path = aortaPath(anatomy);
      if (scene.lateral) {
        const arch = path.slice(14, 30).map(([x, y, z, r]): TubePoint3 => [x, y - r * 0.95, z, thickness]);
        scene.tube(arch, 1.6 * CALCIUM_EXCESS);
      } else {
        const { centre, radius } = aorticKnob(anatomy);
        const arc = frontalArc(centre, radius * 0.93, radius * 0.98, start, start + extent + 1.2, 12);
        // the wall is grazed: the beam crosses more calcium than the plaque is thick
        scene.tube(withRadius(arc, thickness), 2.8 * CALCIUM_EXCESS);
      }
      for (const place of places) {
        const first = 34 + Math.round(place * 10);
        const wall = path
          .slice(first, first + 4)
          .map(
            ([x, y, z, r]): TubePoint3 => [
              x + 0.9 * r,
              y,
              z + (scene.lateral ? -0.9 * r : 0),
              thickness * 0.8,
            ],
          );
        scene.tube(wall, 1.5 * CALCIUM_EXCESS);
      }
    },
  };
};

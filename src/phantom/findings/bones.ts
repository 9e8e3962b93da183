/** Spine and ribs: fracture, kyphosis, scoliosis, osteopenia, degenerative vertebrae. */
import { boneProfile, drawBone } from '../anatomy/bone.js';
import { vertebra } from '../anatomy/spine.js';
import { CALCIUM_EXCESS } from '../attenuation.js';
import { frontalArc, type Side, type TubePoint3, withRadius } from '../geometry.js';
import type { Fracture } from '../patient.js';
import { chooseSide, type PlanFinding } from './rule.js';

/** Broken ribs (a step in the outline, neighbours alike, healing with callus), clavicle, or a wedged vertebra. */
export const fracture: PlanFinding = (random, context) => {
  const side = chooseSide(random, context);
  const kind = random.uniform();
  const fractures: Fracture[] = [];
  if (kind < 0.7) {
    const first = 4 + random.int(3);
    const count = 3 + random.int(3);
    const angle = random.uniform(0.55, 1.0);
    const healing = random.chance(0.5);
    for (let k = 0; k < count; k++) {
      fractures.push({
        bone: 'rib',
        side,
        number: first + k,
        angle: angle + random.uniform(-0.08, 0.08),
        step: random.uniform(1.1, 1.7) * (random.chance(0.85) ? 1 : -1),
        callus: healing ? random.uniform(0.8, 1.1) : 0,
      });
    }
  } else if (kind < 0.9) {
    fractures.push({ bone: 'clavicle', side, step: random.uniform(1.8, 2.8) });
  } else {
    fractures.push({ bone: 'vertebra', number: 8 + random.int(4), height: random.uniform(0.35, 0.5) });
  }
  return {
    adapt(anatomy) {
      anatomy.fractures.push(...fractures);
    },
  };
};

/** A bent upper spine: a bulge on the side view; from the front crowded, steep upper ribs and the chin over the apices. */
export const kyphosis: PlanFinding = (random) => {
  const degree = random.uniform(0.6, 1);
  return {
    adapt(anatomy) {
      anatomy.spine.kyphosis = 2.2 + 2.2 * degree;
      anatomy.spine.crowding = 0.32 * degree;
      anatomy.ribSlope += 2.6 * degree;
      anatomy.depth *= 1 + 0.08 * degree;
      for (const dome of [anatomy.right, anatomy.left]) dome.top -= 1.2 * degree * anatomy.spacing;
      anatomy.age = Math.max(anatomy.age, 60);
    },
    draw(scene) {
      if (scene.lateral) return;
      // the head hangs forward: skull base and jaw over neck and apices
      const chin = -1.6 + 2.4 * degree;
      scene.grid.ellipsoid(
        scene.body,
        scene.projection.ellipsoid({ centre: [0, chin - 5.2, 8], axes: [6.2, 6.2, 2.6] }),
        1,
      );
      const jaw = frontalArc([0, chin - 4.6, 9], 5.1, 4.2, 0.15, 3, 16);
      drawBone(scene, withRadius(jaw, 0.6), boneProfile(scene.anatomy, 0.8));
    },
  };
};

/** An S-shaped spine whose main curve is convex to the right, with the ribs following it. */
export const scoliosis: PlanFinding = (random) => {
  const bend = random.uniform(2.6, 4.6) * (random.chance(0.8) ? 1 : -1);
  return {
    adapt(anatomy) {
      anatomy.spine.scoliosis = bend;
    },
  };
};

/** Little mineral, thin cortices, vertebrae that discs have pressed into. */
export const osteopenia: PlanFinding = (random) => {
  const mineral = random.uniform(0.3, 0.5);
  return {
    adapt(anatomy) {
      anatomy.bone.mineral = mineral;
      anatomy.bone.cortex = 0.48;
      anatomy.age = Math.max(anatomy.age, 65);
    },
  };
};

/** Narrow discs, dense end plates, and osteophytes that bridge from body to body. */
export const vertebralDegenerativeChanges: PlanFinding = (random) => {
  const severity = random.uniform(0.65, 1);
  const first = 4 + random.int(3);
  const bridgingSide: Side = random.chance(0.75) ? -1 : 1;
  return {
    adapt(anatomy) {
      anatomy.age = Math.max(anatomy.age, 55);
      anatomy.bone.mineral = Math.max(anatomy.bone.mineral, 0.95);
    },
    draw(scene) {
      for (let number = first; number <= 13; number++) {
        const above = vertebra(scene.anatomy, number);
        const below = vertebra(scene.anatomy, number + 1);
        const y = (above.centre[1] + below.centre[1]) / 2;
        const x = (above.centre[0] + below.centre[0]) / 2;
        const z = (above.centre[2] + below.centre[2]) / 2;
        const half = above.halfWidth;
        const front = z + above.halfDepth;
        // sclerosis on both sides of the disc
        for (const dy of [-0.2, 0.2]) {
          scene.tube(
            [
              [x - 0.95 * half, y + dy, z, 0.2],
              [x + 0.95 * half, y + dy, z, 0.2],
            ],
            0.8 * severity * CALCIUM_EXCESS,
          );
        }
        for (const side of [-1, 1] as const) {
          const size = (side === bridgingSide ? 1.4 : 0.85) * severity * random.uniform(0.75, 1.15);
          if (size < 0.3 || random.chance(side === bridgingSide ? 0.15 : 0.4)) continue;
          const edge = x + side * half;
          // claws from the corners of both bodies that reach for each other over the disc
          const beak = (dy: number): TubePoint3[] => [
            [edge - side * 0.4, y + 1.9 * dy, front, 0.34],
            [edge + side * 0.45 * size, y + 1.2 * dy, front + 0.4 * size, 0.26],
            [edge + side * size, y + 0.4 * dy, front + 0.8 * size, 0.1],
          ];
          for (const dy of [-0.32, 0.32]) scene.tube(beak(dy), 1.5 * CALCIUM_EXCESS);
        }
      }
    },
  };
};

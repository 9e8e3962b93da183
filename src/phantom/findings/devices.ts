/** What physicians leave in a chest: central venous catheters, wires, pacemakers, tubes, drains, valves, electrodes. */
import type { Random } from '../../engine/random.js';
import { carinaY, heartOutline, venaCava } from '../anatomy/mediastinum.js';
import { CATHETER_EXCESS, METAL_EXCESS } from '../attenuation.js';
import {
  curveThrough,
  frontalArc,
  mix,
  type Point3,
  type Side,
  type TubePoint3,
  withRadius,
} from '../geometry.js';
import type { Scene } from '../scene.js';
import { tracheaAt } from './mediastinum.js';
import { chooseSide, type PlanFinding } from './rule.js';

/** A line from neck, below the clavicle or an arm that ends in the superior vena cava, sometimes with a port. */
export const centralVenousCatheter: PlanFinding = (random) => {
  const access = random.uniform();
  const side: Side = random.chance(0.72) ? -1 : 1;
  const port = random.chance(0.3);
  const depth = random.uniform(1.5, 4.5);
  const radius = random.uniform(0.13, 0.18);
  return {
    draw(scene) {
      const { anatomy } = scene;
      const entry: Point3[] = port
        ? [
            [side * 8.2, 6.2, 8],
            [side * 7.4, 2.9, 6],
            [side * 4.2, 1.9, 4],
          ]
        : access < 0.5
          ? [
              [side * 3.6, -8, 2],
              [side * 3.1, -3.5, 2.5],
              [side * 2.5, -0.4, 2.5],
            ]
          : access < 0.8
            ? [
                [side * 12, 4, 4],
                [side * 8.5, 1.6, 4.5],
                [side * 4.2, 1.4, 3.5],
              ]
            : [
                [side * 19, 12, 0],
                [side * 14.5, 3.6, 1],
                [side * 9.5, 2.0, 3],
                [side * 4.4, 1.7, 3],
              ];
      const cava = venaCava(anatomy);
      const [top] = cava;
      const topX = top?.[0] ?? -1.9;
      const crossing: Point3[] = side > 0 ? [[0.4, 2.6, 3.2]] : [];
      const tip = carinaY(anatomy) + depth;
      const shift = anatomy.mediastinalShift;
      const path: Point3[] = [
        ...entry,
        ...crossing,
        [topX + 0.2 * shift, 0.45 * carinaY(anatomy) + (side > 0 ? 0.8 : 0), 2],
        [-1.95 + shift, 0.5 * (carinaY(anatomy) + tip), 1.9],
        [-2.1 + shift, tip, 1.8],
      ];
      scene.tube(curveThrough(withRadius(path, radius), 6), 2 * CATHETER_EXCESS);
      if (port) {
        const centre: Point3 = [side * 8.2, 6.6, 8.5];
        scene.solid({ centre, axes: [1.3, 1.3, 0.35] }, 0.35 * METAL_EXCESS);
        scene.tube(withRadius(frontalArc(centre, 1.1, 1.1, 0, 6.2832, 20), 0.16), 0.4 * METAL_EXCESS);
      }
    },
  };
};

/** Steel wire loops around the halves of a sawn breastbone, and often the clips of a bypass. */
export const sternotomy: PlanFinding = (random) => {
  const wires = 5 + random.int(3);
  const clips = random.chance(0.45) ? 5 + random.int(6) : 0;
  return {
    draw(scene) {
      const { anatomy, right } = scene;
      for (let k = 0; k < wires; k++) {
        const y = mix(2.5, 8.4, k / (wires - 1)) * anatomy.spacing + random.uniform(-0.2, 0.2);
        const row = right.row(y);
        const z = row.middleZ + row.halfDepth + 0.6;
        const x = 0.15 * random.normal();
        const tilt = 0.12 * random.normal();
        const half = random.uniform(0.85, 1.15);
        const loop = frontalArc([x, y, z], half, 0.42, 0, 6.2832, 18).map(
          ([px, py, pz], step): TubePoint3 => [
            px,
            py + tilt * (px - x),
            pz + 0.5 * Math.sin(0.7 * step),
            0.1,
          ],
        );
        scene.tube(loop, 1.4 * METAL_EXCESS);
        // the twisted ends
        scene.tube(
          [
            [x + 0.1, y + 0.35, z + 0.5, 0.12],
            [x + 0.28, y + 0.85, z + 0.5, 0.1],
          ],
          METAL_EXCESS,
        );
      }
      const { leftX, centreY } = heartOutline(anatomy);
      for (let k = 0; k < clips; k++) {
        const t = k / Math.max(1, clips - 1);
        const x = mix(1.6, 0.62 * leftX, t) + 0.3 * random.normal();
        const y = mix(centreY - 8, centreY + 1, t) + 0.4 * random.normal();
        scene.tube(
          [
            [x, y, 5, 0.09],
            [x + 0.45, y + 0.1, 5, 0.09],
          ],
          1.2 * METAL_EXCESS,
        );
      }
    },
  };
};

type Device = 'pacemaker' | 'tubes' | 'drain' | 'electrodes' | 'valve';

/** A pacemaker with its leads, or tubes, a chest drain, monitoring electrodes, an artificial valve. */
export const supportDevices: PlanFinding = (random, context) => {
  const bedside = context.view === 'AP';
  const first: Device = random.chance(bedside ? 0.35 : 0.72)
    ? 'pacemaker'
    : random.pick<Device>(['tubes', 'tubes', 'drain', 'electrodes', 'valve']);
  const more: Device[] = (['tubes', 'drain', 'electrodes', 'valve'] as const).filter(
    (device) => device !== first && random.chance(bedside ? 0.4 : 0.08),
  );
  const side = chooseSide(random, context);
  return {
    draw(scene) {
      for (const device of [first, ...more]) {
        if (device === 'pacemaker') drawPacemaker(scene, random);
        else if (device === 'tubes') drawTubes(scene);
        else if (device === 'drain') drawDrain(scene, side, random);
        else if (device === 'electrodes') drawElectrodes(scene, random);
        else drawValve(scene, random);
      }
    },
  };
};

function drawPacemaker(scene: Scene, random: Random): void {
  const { anatomy, grid, projection } = scene;
  const side: Side = random.chance(0.82) ? 1 : -1;
  const size = random.uniform(2.1, 2.8);
  const centre: Point3 = [side * random.uniform(8, 9.6), random.uniform(4.2, 6.4), 8.5];
  const shape = projection.ellipsoid({
    centre,
    axes: [size, 0.86 * size, 0.5],
    turn: random.uniform(-0.5, 0.5),
  });
  const can = grid.layer();
  grid.ellipsoid(can, shape, 1);
  for (let i = 0; i < can.length; i++) {
    const chord = can[i] as number;
    if (chord > 0)
      scene.extra[i] = (scene.extra[i] as number) + Math.min(1, 2.5 * chord) * 0.55 * METAL_EXCESS;
  }
  const { leftX, rightX, centreY } = heartOutline(anatomy);
  const cavaX = -1.9 + anatomy.mediastinalShift;
  const start: Point3[] = [
    [centre[0] + side * 0.6, centre[1] - 0.8 * size, 8],
    [side * 7, 1.9, 6],
    [side * 4, 1.6, 4],
    ...(side > 0 ? ([[0.3, 2.6, 3.4]] as Point3[]) : []),
    [cavaX, 6, 2],
    [cavaX - 0.3, centreY - 4.5, 2],
  ];
  const leads: Point3[][] = [
    // around the right atrium and through the valve to the apex of the right ventricle
    [
      ...start,
      [rightX + 1.2, centreY - 0.5, 3],
      [rightX + 3.2, centreY + 2.4, 5],
      [mix(rightX, leftX, 0.62), centreY + 3.1, 6],
      [mix(rightX, leftX, 0.74), centreY + 2.4, 6],
    ],
    // a J into the atrial appendage
    [
      ...start,
      [rightX + 1.5, centreY - 0.6, 3],
      [rightX + 2.1, centreY - 0.3, 4],
      [rightX + 2.3, centreY - 2, 5],
    ],
  ];
  const count = random.chance(0.75) ? 2 : 1;
  for (const lead of leads.slice(0, count)) {
    scene.tube(curveThrough(withRadius(lead, 0.1), 6), 0.85 * METAL_EXCESS);
  }
}

/** An endotracheal tube that ends above the carina and a gastric tube that goes on below the diaphragm. */
function drawTubes(scene: Scene): void {
  const { anatomy } = scene;
  const tip = carinaY(anatomy) - 4;
  const airway: Point3[] = [];
  for (let y = -8; y <= tip; y += 1) airway.push(tracheaAt(scene, y));
  for (const offset of [-0.38, 0.38]) {
    const wall = airway.map(([x, y, z]): Point3 => [x + offset, y, z]);
    scene.tube(withRadius(wall, 0.1), 1.8 * CATHETER_EXCESS);
  }
  const bottom = anatomy.left.top;
  const gullet: Point3[] = [
    [0.4, -9, -2],
    [0.4, 2, -3.5],
    [-0.2 + anatomy.mediastinalShift, 9, -4.5],
    [0.6 + anatomy.mediastinalShift, bottom - 2, -3.5],
    [2.2, bottom + 2, -1],
    [5.5, bottom + 5, 1],
    [6.5, bottom + 9, 2],
  ];
  scene.tube(curveThrough(withRadius(gullet, 0.2), 6), 1.1 * CATHETER_EXCESS);
}

/** A drain that enters between the ribs and runs up along the pleura. */
function drawDrain(scene: Scene, side: Side, random: Random): void {
  const lung = scene.lung(side);
  const entry = lung.dome.top - random.uniform(0, 3);
  const target = random.uniform(2.5, 7);
  const row = lung.row(entry);
  const path: Point3[] = [
    [side * (row.lateral + 6), entry + 3.5, 2],
    [side * (row.lateral + 0.5), entry, 2],
    [side * (row.lateral - 1.6), entry - 3.5, 0],
    [side * (lung.row(target).lateral - 1.8), target + 2, -2],
    [side * (lung.row(target).lateral - 3.6), target, -2],
  ];
  scene.tube(curveThrough(withRadius(path, 0.36), 6), 0.45 * CATHETER_EXCESS);
  scene.tube(curveThrough(withRadius(path, 0.09), 6), 2.2 * CATHETER_EXCESS);
}

/** Electrodes with their cables on the skin. */
function drawElectrodes(scene: Scene, random: Random): void {
  const places: Point3[] = [
    [-10, 3.5, 10],
    [10, 3.5, 10],
    [-10.5, 18, 10],
    [9.5, 19, 10],
    [3, 12, 11],
  ];
  for (const [x, y, z] of places) {
    const centre: Point3 = [x + random.normal(), y + random.normal(), z];
    scene.solid({ centre, axes: [0.55, 0.55, 0.25] }, 0.9 * METAL_EXCESS);
    const end: Point3 = [x * 0.4 + random.normal(0, 1.5), 32, 11];
    const middle: Point3 = [mix(centre[0], end[0], 0.4) + random.normal(0, 2), mix(centre[1], 32, 0.45), 11];
    scene.tube(curveThrough(withRadius([centre, middle, end], 0.09), 10), 0.5 * METAL_EXCESS);
  }
}

/** The ring of an artificial valve, seen obliquely within the heart. */
function drawValve(scene: Scene, random: Random): void {
  const { leftX, rightX, centreY } = heartOutline(scene.anatomy);
  const mitral = random.chance(0.5);
  const centre: Point3 = [mix(rightX, leftX, mitral ? 0.56 : 0.44), centreY + (mitral ? 0.3 : -2), 1];
  const turn = mitral ? 0.9 : -0.5;
  const ring = frontalArc([0, 0, 0], 1.35, 0.6, 0, 6.2832, 24).map(
    ([x, y]): TubePoint3 => [
      centre[0] + x * Math.cos(turn) - y * Math.sin(turn),
      centre[1] + x * Math.sin(turn) + y * Math.cos(turn),
      centre[2],
      0.15,
    ],
  );
  scene.tube(ring, 1.1 * METAL_EXCESS);
}

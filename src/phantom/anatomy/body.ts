/**
 * The outline of the patient: torso, neck, shoulders, arms and breasts.
 */
import { clamp, mix, type Side, smoothstep } from '../geometry.js';
import { spineZ } from '../patient.js';
import type { Scene } from '../scene.js';

const SIDES: readonly Side[] = [-1, 1];

export function drawBody(scene: Scene): void {
  if (scene.lateral) drawLateralTorso(scene);
  else drawFrontalTorso(scene);
  drawBreasts(scene);
}

function drawFrontalTorso(scene: Scene): void {
  const { anatomy, grid, body } = scene;
  const { halfWidth, wall, spacing } = anatomy;
  const chest = halfWidth + wall + 0.6;
  grid.visit((index, u, v) => {
    const t = v / spacing;
    const width = chest + 1.1 * smoothstep(6, 1.5, t) + 0.5 * smoothstep(10, 13, t);
    const q = (u * u) / (width * width);
    if (q >= 1) return;
    // the slope of the trapezius from neck to shoulder
    const beyond = Math.max(0, Math.abs(u) - 0.75 * halfWidth);
    const slope = -5.5 + 0.3 * Math.abs(u) + 0.13 * beyond * beyond;
    const depth = 6.2 + 4.2 * smoothstep(-1.5, 5, t) + 0.45 * wall;
    body[index] = 2 * depth * Math.sqrt(1 - q * q) * smoothstep(slope, slope + 7.5, v);
  });
  const neck = anatomy.sex === 'F' ? 5.4 : 6.3;
  scene.displaceByTube(
    [
      [0, -16, -1, neck + 0.4],
      [0, -6, -2, neck],
      [0, 1, -3, neck + 1.2],
      [0, 6, -3, neck + 1.8],
    ],
    body,
  );
  for (const side of SIDES) {
    const shoulder = halfWidth + 3.6;
    scene.displaceByTube(
      [
        [side * 3, -3.4, -4, 4.4],
        [side * 9, -0.6, -3, 5],
        [side * shoulder, 2.6, -1, 5.4],
        [side * (shoulder + 4.2), 10, 0, 4.8],
        [side * (shoulder + 7), 18, 2, 4.5],
      ],
      body,
    );
  }
}

function drawLateralTorso(scene: Scene): void {
  const { anatomy, grid, body } = scene;
  const { halfWidth, wall, spacing } = anatomy;
  grid.visit((index, u, v) => {
    const z = -u;
    const row = scene.right.row(v);
    const t = v / spacing;
    const back = Math.min(row.middleZ - row.halfDepth, spineZ(anatomy, v) - 2.6) - 2.4 - 0.4 * wall;
    const front = row.middleZ + row.halfDepth + 1.4 + 0.4 * wall + 0.8 * smoothstep(9, 13, t);
    const q = (2 * (z - (front + back) / 2)) / (front - back);
    const edge = 1 - q * q * q * q;
    if (edge <= 0) return;
    const width = 2 * (halfWidth + 0.8 * wall) * smoothstep(-5, 4, t) + 11 * smoothstep(4, -5, t);
    // raised arms and the shoulder girdle thicken the top
    const shoulders = 13 * smoothstep(3.4, 0.2, t) * Math.exp(-((z + 1) * (z + 1)) / 50);
    body[index] = (width + shoulders) * Math.sqrt(edge);
  });
}

/** A breast thins out upwards into the chest wall and ends below in a fold. */
function drawBreasts(scene: Scene): void {
  const { anatomy, body, grid, projection } = scene;
  if (anatomy.breast <= 0.05) return;
  const size = 0.75 + 0.4 * anatomy.breast;
  const sag = 1.6 * clamp((anatomy.age - 40) / 40, 0, 1);
  const y = 8.4 * anatomy.spacing + sag;
  const row = scene.right.row(y);
  for (const side of SIDES) {
    const shape = projection.ellipsoid({
      centre: [side * 0.64 * anatomy.halfWidth, y, row.middleZ + row.halfDepth + 2],
      axes: [5.4 * size, 4.6 * size, 1 + 2.4 * anatomy.breast],
    });
    const reach = 9 * size;
    grid.visitNear(shape.u, shape.v, reach, (index, u, v) => {
      const du = u - shape.u;
      const dv = v > shape.v ? v - shape.v : 0.6 * (v - shape.v);
      const inside = 1 - (shape.quu * du * du + shape.qvv * dv * dv);
      if (inside <= 0) return;
      // thickness falls linearly upwards and to the sides, like a lens below
      const lens = inside * mix(1, 1 / Math.sqrt(Math.max(inside, 0.15)), smoothstep(-1, 2, v - shape.v));
      body[index] = (body[index] as number) + 0.95 * shape.halfDepth * lens;
    });
  }
}

/**
 * Heart, great vessels and airways: solids that push lung aside, and the air of the trachea, main bronchi and stomach.
 */
import { AIR_EXCESS, SOFT_TISSUE } from '../attenuation.js';
import { curveThrough, type Point3, smoothstep, type TubePoint3 } from '../geometry.js';
import type { Anatomy } from '../patient.js';
import { spineX, spineZ } from '../patient.js';
import type { Ellipsoid } from '../projection.js';
import type { Scene } from '../scene.js';

/** Left end, right end and level of the heart on a frontal image, cm; the ends are what the CTR is measured between. */
export interface HeartOutline {
  leftX: number;
  rightX: number;
  centreY: number;
}

export function heartOutline(anatomy: Anatomy): HeartOutline {
  const width = anatomy.cardiothoracicRatio * 2 * anatomy.halfWidth;
  const shift = anatomy.mediastinalShift;
  return {
    leftX: 0.68 * width + shift,
    rightX: -0.32 * width + shift,
    centreY: anatomy.left.top - 3.7,
  };
}

/** The heart as overlapping solids: both ventricles, right atrium, base, and the straight upper left border. */
export function heartSolids(anatomy: Anatomy): Ellipsoid[] {
  const { leftX, rightX, centreY } = heartOutline(anatomy);
  const width = leftX - rightX;
  // hearts grow sideways along the diaphragm more than upwards
  const tall = Math.sqrt(width * 0.88 * anatomy.halfWidth);
  const middle = rightX + 0.4 * width;
  // A left ventricle whose axis points down and to the left; its half width along x is √((a·cos)² + (b·sin)²).
  const turn = 0.56;
  const [long, short] = [0.43 * width, 0.31 * tall];
  const halfX = Math.sqrt((long * Math.cos(turn)) ** 2 + (short * Math.sin(turn)) ** 2);
  const low = centreY + 0.7 - 0.15 * (tall - 0.88 * anatomy.halfWidth);
  return [
    { centre: [leftX - halfX, low, 2.2], axes: [long, short, 0.46 * tall], turn },
    {
      centre: [rightX + 0.27 * width, low - 1.3, 2.8],
      axes: [0.27 * width, 0.38 * tall, 0.44 * tall],
      turn: 0.1,
    },
    {
      centre: [middle + 0.05 * width, low + 0.2, 4.4],
      axes: [0.4 * width, 0.3 * tall, 0.4 * tall],
      turn: 0.15,
    },
    {
      centre: [middle + 0.02 * width, low - 0.36 * tall, 1.6],
      axes: [0.2 * width, 0.32 * tall, 0.36 * tall],
    },
    {
      centre: [leftX - 0.4 * width, low - 0.22 * tall, 1.8],
      axes: [0.34 * tall, 0.2 * width, 0.44 * tall],
      turn: Math.atan2(0.62 * tall, 0.3 * width),
    },
  ];
}

/** Centre line and radius of the aorta from its root over the arch down to the diaphragm. */
export function aortaPath(anatomy: Anatomy): TubePoint3[] {
  const { radius, elongation } = anatomy.aorta;
  const { spacing, mediastinalShift: shift } = anatomy;
  const e = elongation;
  const r = radius * (1 + 0.16 * e);
  const archTop = (3.15 - 0.9 * e) * spacing;
  const root = heartOutline(anatomy).centreY - 2.5;
  const behind = (y: number, x: number, forward = 1.6): TubePoint3 => [
    x + spineX(anatomy, y) + 0.7 * shift,
    y,
    spineZ(anatomy, y) + forward,
    r * 0.92,
  ];
  const descent = anatomy.left.top - 6;
  return curveThrough<TubePoint3>(
    [
      [-0.4 + shift, root, 2.6, r * 1.1],
      [-1.6 - 1.6 * e + shift, root - 3.6, 3.0, r * 1.08],
      [-0.9 - 1.2 * e + shift, archTop + 1.6, 1.8, r * 1.05],
      [0.9 + shift, archTop + 0.1, -0.6, r],
      [2.2 + 1.0 * e + shift, archTop + 0.9, -3.2, r],
      behind(archTop + 3.2, 2.3 + 1.6 * e),
      behind(descent - 2, 1.9 + 2.4 * e),
      behind(descent + 3.5, 1.3 + 1.0 * e),
      behind(descent + 10, 0.7),
    ],
    7,
  );
}

/** Centre of the aortic knob, the part of the arch seen end on at the left of the mediastinum. */
export function aorticKnob(anatomy: Anatomy): { centre: Point3; radius: number } {
  const { radius, elongation: e } = anatomy.aorta;
  const archTop = (3.15 - 0.9 * e) * anatomy.spacing;
  return {
    centre: [2.5 + 1.1 * e + anatomy.mediastinalShift, archTop + 1.3, -3.2],
    radius: radius * (1.15 + 0.2 * e),
  };
}

/** Level of the carina. */
export function carinaY(anatomy: Anatomy): number {
  return 4.3 * anatomy.spacing;
}

export function tracheaPath(anatomy: Anatomy): TubePoint3[] {
  const carina = carinaY(anatomy);
  const shift = anatomy.mediastinalShift;
  const inlet = anatomy.tracheaDeviation;
  return curveThrough<TubePoint3>(
    [
      [0.15 * inlet, -8, 1.5, 0.9],
      [0.75 * inlet, -2.5, 0.6, 0.88],
      [inlet + 0.2 * shift, 0.6, -0.4, 0.86],
      [0.25 * inlet - 0.25 + 0.7 * shift, 0.55 * carina, -1.8, 0.84],
      [-0.35 + shift, carina, -2.8, 0.88],
    ],
    5,
  );
}

/** The main bronchi, right then left. */
export function mainBronchi(anatomy: Anatomy): [TubePoint3[], TubePoint3[]] {
  const y = carinaY(anatomy);
  const shift = anatomy.mediastinalShift;
  const carina: TubePoint3 = [-0.35 + shift, y, -2.8, 0.75];
  return [
    [carina, [-2.3 + shift, y + 1.9, -2.9, 0.68], [-3.9 + shift, y + 4.2, -3, 0.45]],
    [carina, [2.4 + shift, y + 2.3, -3.1, 0.6], [4.8 + shift, y + 4.1, -3.4, 0.4]],
  ];
}

/** Lungs around the mediastinum, then the air within it. */
export function drawMediastinum(scene: Scene): void {
  const { anatomy } = scene;
  const tissue = scene.grid.layer();
  for (const solid of heartSolids(anatomy)) scene.displaceByEllipsoid(solid, tissue);
  scene.displaceByTube(aortaPath(anatomy), tissue);
  const { centre, radius } = aorticKnob(anatomy);
  scene.displaceByEllipsoid({ centre, axes: [radius, radius * 1.05, 2.6] }, tissue);
  scene.displaceByTube(venaCava(anatomy), tissue);
  scene.displaceByTube(pulmonaryTrunk(anatomy), tissue);
  drawLungs(scene, tissue);
  drawAirways(scene);
  drawStomach(scene);
}

/** Superior vena cava from the brachiocephalic veins to the right atrium. */
export function venaCava(anatomy: Anatomy): TubePoint3[] {
  const shift = anatomy.mediastinalShift;
  const carina = carinaY(anatomy);
  return [
    [-1.9 + 0.4 * shift, 0.6, 2, 0.75],
    [-1.75 + shift, 0.6 * carina, 2, 0.85],
    [-2.0 + shift, carina + 3.4, 1.8, 0.9],
  ];
}

function pulmonaryTrunk(anatomy: Anatomy): TubePoint3[] {
  const { centreY } = heartOutline(anatomy);
  const shift = anatomy.mediastinalShift;
  const y = carinaY(anatomy) + 1.2;
  const r = 1.35 * Math.sqrt(anatomy.hila.scale);
  return [
    [0.8 + shift, centreY - 2, 4.6, r],
    [2.0 + shift, y + 1.8, 2.4, r],
    [2.7 + shift, y + 0.7, -0.5, r * 0.95],
  ];
}

/** A beam crosses lung where it meets neither mediastinum nor abdomen; they overlap along it, so the greater counts. */
function drawLungs(scene: Scene, tissue: Float32Array): void {
  const { grid, lateral } = scene;
  for (const lung of [scene.right, scene.left]) {
    const chords = scene.chords(lung.side);
    grid.visit((index, u, v) => {
      const { span, dome } = lateral ? lung.lateralChord(v, -u) : lung.frontalChord(u, v);
      if (span <= 0) return;
      // from the side half of the mediastinum lies before each lung
      const pushed = (tissue[index] as number) * (lateral ? 0.5 : 1);
      chords[index] = Math.max(0, span - Math.max(dome, pushed));
    });
  }
}

function drawAirways(scene: Scene): void {
  scene.tube(tracheaPath(scene.anatomy), 1.2 * AIR_EXCESS);
  for (const bronchus of mainBronchi(scene.anatomy)) scene.tube(bronchus, AIR_EXCESS * 0.75);
}

/** Gas under the left dome; on an upright image it ends below in a fluid level. */
function drawStomach(scene: Scene): void {
  const { anatomy, grid, extra, left } = scene;
  const size = anatomy.gastricBubble;
  if (size < 0.12) return;
  const rx = 1.4 + 2.6 * size;
  const ry = 0.7 + 1.7 * size;
  const x = 0.46 * anatomy.halfWidth;
  const top = Math.max(left.diaphragmY(x), left.dome.top);
  const upright = scene.projection.view !== 'AP';
  const shape = scene.projection.ellipsoid({ centre: [x, top + 0.75 + ry, 2.4], axes: [rx, ry, rx] });
  const level = shape.v + 0.35 * ry;
  grid.visitNear(shape.u, shape.v, rx + 0.2, (index, u, v) => {
    const du = u - shape.u;
    const dv = v - shape.v;
    const inside = 1 - (shape.quu * du * du + shape.qvv * dv * dv);
    if (inside <= 0) return;
    const gas = upright ? smoothstep(level + 0.12, level - 0.12, v) : 0.7;
    extra[index] = (extra[index] as number) - SOFT_TISSUE * 1.5 * shape.halfDepth * Math.sqrt(inside) * gas;
  });
}

/**
 * Hila and the pulmonary vessels: each lung's artery and veins fan out from the hilum and divide, in three dimensions,
 * until they leave the lung or grow too thin to see.
 */
import type { Random } from '../../engine/random.js';
import { NORMAL_LUNG_DENSITY, SOFT_TISSUE } from '../attenuation.js';
import { type Point3, type Side, smoothstep, type TubePoint3 } from '../geometry.js';
import type { Anatomy } from '../patient.js';
import type { Scene } from '../scene.js';
import { carinaY } from './mediastinum.js';

const VESSEL_EXCESS = SOFT_TISSUE * (1 - NORMAL_LUNG_DENSITY);
const THINNEST = 0.045;
const SEGMENT = 1.5;

/** Middle of a hilum. */
export function hilum(anatomy: Anatomy, side: Side): Point3 {
  const shift = anatomy.mediastinalShift;
  const y = carinaY(anatomy) + (side < 0 ? 3.1 : 1.9);
  return [side * (side < 0 ? 4.0 : 4.3) + shift, y, -1.5];
}

/** The central arteries: the right one crosses behind the cava and descends, the left one arches over its bronchus. */
function hilarArteries(anatomy: Anatomy, side: Side): TubePoint3[][] {
  const [x, y, z] = hilum(anatomy, side);
  const r = anatomy.hila.scale;
  const widen = 0.5 * (r - 1);
  if (side < 0) {
    return [
      [
        [x + 2.6, y - 1.0, z, 0.95 * r],
        [x + 0.4, y - 0.4, z, 0.9 * r],
        [x - 0.8 - widen, y + 1.4, z - 0.6, 0.74 * r],
        [x - 1.3 - widen, y + 4.0, z - 1.2, 0.5 * r],
      ],
      [
        [x + 1.2, y - 1.0, z, 0.6 * r],
        [x - 0.4, y - 2.2, z + 0.5, 0.42 * r],
      ],
    ];
  }
  return [
    [
      [x - 1.9, y - 0.8, z, 1.0 * r],
      [x - 0.2, y - 0.7, z - 0.8, 0.92 * r],
      [x + 0.7 + widen, y + 0.9, z - 1.6, 0.72 * r],
      [x + 1.0 + widen, y + 3.6, z - 2, 0.46 * r],
    ],
    [
      [x - 0.4, y - 0.6, z, 0.55 * r],
      [x + 0.6, y - 2.0, z + 0.6, 0.38 * r],
    ],
  ];
}

export function drawVessels(scene: Scene, random: Random): void {
  for (const side of [-1, 1] as const) {
    for (const artery of hilarArteries(scene.anatomy, side)) strokeMarking(scene, side, artery, 1.1);
    // a hilum also holds veins and nodes
    const [x, y, z] = hilum(scene.anatomy, side);
    const r = 1.1 + 0.35 * (scene.anatomy.hila.scale - 1);
    addHilarShadow(scene, side, [x - side * 0.3, y, z], r);
    growTree(scene, side, random);
  }
  fadeBeyondLung(scene);
}

/** Adds a tube of soft tissue to a lung's markings. */
export function strokeMarking(scene: Scene, side: Side, path: readonly TubePoint3[], strength = 1.35): void {
  scene.grid.stroke(scene.markings(side), scene.projection.tube(path), VESSEL_EXCESS * strength);
}

function addHilarShadow(scene: Scene, side: Side, centre: Point3, radius: number): void {
  const shape = scene.projection.ellipsoid({ centre, axes: [radius, 1.7 * radius, radius] });
  scene.grid.ellipsoid(scene.markings(side), shape, VESSEL_EXCESS * 0.6);
}

function growTree(scene: Scene, side: Side, random: Random): void {
  const { anatomy } = scene;
  const [x, y, z] = hilum(anatomy, side);
  const calibre = anatomy.vessels.scale;
  // Main branches as a fan from the apex over the side down to the base, at three depths.
  const fan = 17;
  for (let k = 0; k < fan; k++) {
    const angle = -1.35 + (2.75 * k) / (fan - 1) + 0.1 * random.normal();
    const depth = random.normal(0, 0.45);
    const lower = smoothstep(-0.6, 1.2, angle);
    const radius = (0.25 + 0.16 * lower + 0.02 * random.normal()) * calibre;
    const start: TubePoint3 = [x + side * 0.6, y + 1.8 * angle, z - 0.6 * lower, radius * 1.25];
    const direction: Point3 = [side * Math.cos(angle), Math.sin(angle), depth - 0.25 * lower];
    growBranch(scene, side, start, direction, radius, random, 0);
  }
}

function growBranch(
  scene: Scene,
  side: Side,
  start: TubePoint3,
  direction: Point3,
  radius: number,
  random: Random,
  order: number,
): void {
  const path: TubePoint3[] = [start];
  let [x, y, z] = start;
  let [dx, dy, dz] = unit(direction);
  let r = radius;
  const steps = 3 + random.int(3);
  for (let step = 0; step < steps; step++) {
    dx += 0.13 * random.normal();
    dy += 0.13 * random.normal() + 0.03;
    dz += 0.13 * random.normal();
    [dx, dy, dz] = unit([dx, dy, dz]);
    x += dx * SEGMENT;
    y += dy * SEGMENT;
    z += dz * SEGMENT;
    r *= 0.9;
    if (scene.lung(side).clearance(x, y, z) < 0.5) break;
    path.push([x, y, z, r]);
  }
  const present = order === 0 || random.uniform() < scene.anatomy.vessels.peripheral;
  if (present && path.length > 1) strokeMarking(scene, side, path);
  if (r < THINNEST || path.length <= steps || order >= 4) return;
  const end: TubePoint3 = [x, y, z, r];
  for (const turn of [0.45, -0.45]) {
    const spread = turn * (0.7 + 0.6 * random.uniform());
    const lift = 0.35 * random.normal();
    const next: Point3 = [dx - dy * spread, dy + dx * spread, dz + lift];
    growBranch(scene, side, end, next, r * (0.74 + 0.12 * random.uniform()), random, order + 1);
  }
}

function unit([x, y, z]: Point3): [number, number, number] {
  const length = Math.sqrt(x * x + y * y + z * z) || 1;
  return [x / length, y / length, z / length];
}

/** Vessels are seen against air: over the mediastinum and below the domes they vanish. */
function fadeBeyondLung(scene: Scene): void {
  for (const side of [-1, 1] as const) {
    const chords = scene.chords(side);
    const markings = scene.markings(side);
    for (let i = 0; i < markings.length; i++) {
      const marking = markings[i] as number;
      if (marking > 0) markings[i] = marking * smoothstep(2, 12, chords[i] as number);
    }
  }
}

/** The ribs as curves around the thorax: level behind, falling towards the front, stepped where they are broken. */
import { SPONGIOSA_EXCESS } from '../attenuation.js';
import { clamp, mix, type Point3, type Side, type TubePoint3 } from '../geometry.js';
import type { TubeProfile } from '../grid.js';
import { type Fracture, spineX, vertebraY } from '../patient.js';
import type { Scene } from '../scene.js';
import { boneProfile, drawBone } from './bone.js';

type RibFracture = Extract<Fracture, { bone: 'rib' }>;

const RIBS = 11;

/** Where a rib runs, from its neck (angle 0) around the side (90°) to its cartilage. */
class Rib {
  readonly side: Side;
  readonly number: number;
  readonly fracture: RibFracture | undefined;
  readonly #scene: Scene;
  readonly #drop: number;

  /** @param number 1–11 */
  constructor(scene: Scene, side: Side, number: number) {
    this.#scene = scene;
    this.side = side;
    this.number = number;
    const { ribSlope, spacing } = scene.anatomy;
    const longest = number <= 7 ? Math.min(1, 0.32 + 0.14 * (number - 1)) : 1 + 0.02 * (number - 7);
    this.fracture = scene.anatomy.fractures.find(
      (one): one is RibFracture => one.bone === 'rib' && one.side === side && one.number === number,
    );
    this.#drop = (ribSlope * longest * spacing) / 2.15;
  }

  /** Greatest angle that still is bone, radians. */
  get end(): number {
    return this.number >= 10 ? 1.9 : this.number === 1 ? 2.5 : 2.35 - 0.03 * this.number;
  }

  /** @param angle radians around the chest: 0 at the spine, π/2 at the side, π at the breastbone */
  at(angle: number): Point3 {
    const { anatomy } = this.#scene;
    const start = vertebraY(anatomy, this.number + 0.15);
    const fall = angle / 2.4;
    const y =
      start + this.#slip(angle) + this.#drop * fall ** 1.35 - 0.55 * Math.sin(Math.min(angle, 1.2) * 1.3);
    const row = this.#scene.lung(this.side).row(Math.min(y, 10.5 * anatomy.spacing));
    const lowest = this.number === 1 ? 1.5 : 0;
    const across = row.lateral + 0.35 + lowest;
    const sideways = 1.4 + (across - 1.4) * Math.sin(clamp(angle * 1.04, 0, 2.6));
    const z = row.middleZ - (row.halfDepth + 0.3) * Math.cos(angle);
    const root = spineX(anatomy, start) * Math.max(0, 1 - angle);
    return [this.side * sideways + root, y, z];
  }

  /** What a fracture shifts the rib by: a step at the break that runs out towards the front. */
  #slip(angle: number): number {
    const { fracture } = this;
    if (fracture === undefined || angle < fracture.angle) return 0;
    return fracture.step * Math.exp((fracture.angle - angle) / 0.5);
  }

  /** Half height of the rib at an angle, cm. */
  radius(angle: number): number {
    return mix(0.52, 0.66, clamp(angle / 1.6, 0, 1)) * (this.number === 1 ? 1.15 : 1);
  }

  path(from: number, to: number, steps: number): TubePoint3[] {
    const path: TubePoint3[] = [];
    for (let step = 0; step <= steps; step++) {
      const angle = mix(from, to, step / steps);
      const [x, y, z] = this.at(angle);
      path.push([x, y, z, this.radius(angle)]);
    }
    return path;
  }
}

export function drawRibs(scene: Scene): void {
  const profile = boneProfile(scene.anatomy, 0.75);
  for (const side of [-1, 1] as const) {
    for (let number = 1; number <= RIBS; number++) drawRib(scene, new Rib(scene, side, number), profile);
  }
}

/** Back and front arc lie over each other at the side, so they are laid in one after the other; a break parts them. */
function drawRib(scene: Scene, rib: Rib, profile: TubeProfile): void {
  const { fracture } = rib;
  const cuts = [0.12, 1.5, rib.end];
  if (fracture !== undefined) cuts.splice(fracture.angle < 1.5 ? 1 : 2, 0, fracture.angle);
  for (let k = 0; k + 1 < cuts.length; k++) {
    const from = cuts[k] as number;
    const to = cuts[k + 1] as number;
    const gap = fracture !== undefined && from === fracture.angle ? 0.07 : 0;
    drawBone(scene, rib.path(from + gap, to, Math.max(2, Math.ceil((to - from) * 9))), profile);
  }
  if (fracture === undefined || fracture.callus === 0) return;
  const [x, y, z] = rib.at(fracture.angle);
  const r = fracture.callus;
  scene.solid({ centre: [x, y + 0.4 * fracture.step, z], axes: [r, 0.85 * r, r] }, 2.2 * SPONGIOSA_EXCESS);
}

/** What a bone absorbs and how it is laid into the picture: a dense cortex around spongy bone. */
import { CORTEX_EXCESS, SPONGIOSA_EXCESS } from '../attenuation.js';
import { smoothstep, type TubePoint3 } from '../geometry.js';
import type { TubeProfile } from '../grid.js';
import type { Anatomy } from '../patient.js';
import type { Scene } from '../scene.js';

/** Absorption across a flat bone such as a rib: spongy bone all through, cortex thickest where the beam grazes it. */
export function boneProfile(anatomy: Anatomy, thickness: number): TubeProfile {
  const spongy = SPONGIOSA_EXCESS * anatomy.bone.mineral * thickness;
  const wall = 0.16 * anatomy.bone.cortex;
  const cortex = CORTEX_EXCESS * wall * (0.6 + 0.4 * anatomy.bone.mineral);
  return (q, radius) => {
    const inner = Math.max(0, 1 - (1.5 * wall) / radius);
    const rim = smoothstep(inner * inner, 1, q) * Math.min(1, 6 * (1 - q));
    return spongy * Math.sqrt(1 - q) + cortex * (Math.min(1, 5 * (1 - q)) + 1.5 * rim);
  };
}

/** Lays a bone into the picture; its profile already carries the material. */
export function drawBone(scene: Scene, path: readonly TubePoint3[], profile: TubeProfile): void {
  scene.grid.stroke(scene.extra, scene.projection.tube(path), 1, profile);
}

/** The vertebral column from C4 to the lumbar spine, body by body, along whatever curve the patient's spine takes. */
import { CORTEX_EXCESS, SPONGIOSA_EXCESS } from '../attenuation.js';
import { clamp, mix, type Point3, smoothstep } from '../geometry.js';
import { type Anatomy, spineX, spineZ, vertebraY } from '../patient.js';
import type { Scene } from '../scene.js';
import { boneProfile, drawBone } from './bone.js';

/** Centre, half width, half height and tilt of a vertebral body; 1 is T1, 0 is C7. */
export interface Vertebra {
  readonly centre: Point3;
  readonly halfWidth: number;
  readonly halfHeight: number;
  readonly halfDepth: number;
  /** Slope of its axis in the frontal and in the sagittal plane (dx/dy, dz/dy). */
  readonly leanX: number;
  readonly leanZ: number;
}

export function vertebra(anatomy: Anatomy, number: number): Vertebra {
  const { spacing } = anatomy;
  const y = vertebraY(anatomy, number);
  const broken = anatomy.fractures.find((one) => one.bone === 'vertebra' && one.number === number);
  const left = broken?.bone === 'vertebra' ? broken.height : 1;
  const growth = clamp(number / 13, -0.3, 1.2);
  const step = 0.5 * spacing;
  return {
    centre: [spineX(anatomy, y), y, spineZ(anatomy, y)],
    halfWidth: mix(1.35, 2.05, growth),
    halfHeight:
      0.415 * spacing * mix(0.92, 1.06, growth) * left * (1 - (number < 8 ? anatomy.spine.crowding : 0)),
    halfDepth: mix(0.95, 1.6, growth),
    leanX: (spineX(anatomy, y + step) - spineX(anatomy, y - step)) / (2 * step),
    leanZ: (spineZ(anatomy, y + step) - spineZ(anatomy, y - step)) / (2 * step),
  };
}

export function drawSpine(scene: Scene): void {
  for (let number = -3; number <= 18; number++) drawVertebra(scene, vertebra(scene.anatomy, number));
}

function drawVertebra(scene: Scene, bone: Vertebra): void {
  const { grid, extra, projection, lateral, anatomy } = scene;
  const [x, y, z] = bone.centre;
  const [u0, v0] = projection.point(x, y, z);
  const half = lateral ? bone.halfDepth : bone.halfWidth;
  const lean = lateral ? -bone.leanZ : bone.leanX;
  const through = lateral ? bone.halfWidth : bone.halfDepth;
  const { mineral, cortex } = anatomy.bone;
  const spongy = 2 * through * SPONGIOSA_EXCESS * 0.55 * mineral;
  const plate = 2 * through * CORTEX_EXCESS * 0.085 * cortex * (0.5 + 0.5 * mineral);
  // soft bone gives way to the discs: end plates curve in
  const biconcave = clamp((0.72 - mineral) * 1.5, 0, 0.38);
  grid.visitNear(u0, v0, 1.5 * Math.max(half, bone.halfHeight) + 0.3, (index, u, v) => {
    const dv = v - v0;
    const du = u - u0 - lean * dv;
    const a = Math.abs(du / (half * (1 - 0.1 * (1 - (dv / bone.halfHeight) ** 2))));
    if (a >= 1) return;
    const height = bone.halfHeight * (1 - biconcave * (1 - a * a));
    const b = Math.abs((dv + lean * du) / height);
    if (b >= 1.08) return;
    const border = smoothstep(1, 0.9, a) * smoothstep(1.08, 0.94, b);
    const endPlate = smoothstep(0.72, 0.95, b) + 0.7 * smoothstep(0.8, 0.96, a);
    extra[index] = (extra[index] as number) + border * (spongy + plate * endPlate);
  });
  if (!lateral) drawPosteriorElements(scene, bone);
}

/** Pedicles seen end on, and the spinous process below. */
function drawPosteriorElements(scene: Scene, bone: Vertebra): void {
  const [x, y, z] = bone.centre;
  const profile = boneProfile(scene.anatomy, 0.6);
  for (const side of [-1, 1] as const) {
    const px = x + side * 0.62 * bone.halfWidth;
    const py = y - 0.28 * bone.halfHeight;
    drawBone(
      scene,
      [
        [px, py - 0.22, z - 1.5, 0.36],
        [px, py + 0.22, z - 1.5, 0.36],
      ],
      profile,
    );
  }
  drawBone(
    scene,
    [
      [x, y + 0.5 * bone.halfHeight, z - 4, 0.26],
      [x, y + 1.1 * bone.halfHeight, z - 4.3, 0.36],
    ],
    profile,
  );
}

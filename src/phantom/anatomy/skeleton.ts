/** All bones of the chest; clavicles, shoulder girdle and breastbone are drawn here, ribs and spine in files of theirs. */
import { SPONGIOSA_EXCESS } from '../attenuation.js';
import { curveThrough, type Side, type TubePoint3 } from '../geometry.js';
import type { Anatomy } from '../patient.js';
import type { Scene } from '../scene.js';
import { boneProfile, drawBone } from './bone.js';
import { drawRibs } from './ribs.js';
import { drawSpine } from './spine.js';

export function drawSkeleton(scene: Scene): void {
  drawSpine(scene);
  drawRibs(scene);
  for (const side of [-1, 1] as const) {
    drawClavicle(scene, side);
    drawShoulder(scene, side);
  }
  drawSternum(scene);
}

/** Centre line of a clavicle from the breastbone to the shoulder. */
function claviclePath(anatomy: Anatomy, side: Side): TubePoint3[] {
  const { halfWidth, spacing } = anatomy;
  return curveThrough<TubePoint3>(
    [
      [side * 1.7, 1.75 * spacing, 5.2, 0.95],
      [side * 0.3 * halfWidth, 1.25 * spacing, 4.6, 0.68],
      [side * 0.62 * halfWidth, 0.62 * spacing, 2.6, 0.56],
      [side * 0.98 * halfWidth, 0.05 * spacing, -0.6, 0.58],
      [side * 1.2 * halfWidth, -0.1 * spacing, -1.2, 0.72],
    ],
    5,
  );
}

function drawClavicle(scene: Scene, side: Side): void {
  const path = claviclePath(scene.anatomy, side);
  const profile = boneProfile(scene.anatomy, 1.15);
  const broken = scene.anatomy.fractures.find((one) => one.bone === 'clavicle' && one.side === side);
  if (broken?.bone !== 'clavicle') {
    drawBone(scene, path, profile);
    return;
  }
  // the inner piece is pulled up by the neck's muscle, the outer one sags; they overlap
  const middle = Math.round(0.55 * path.length);
  const inner = path
    .slice(0, middle + 2)
    .map(([x, y, z, r], k): TubePoint3 => [x, y - broken.step * 0.5 * (k / middle) ** 2, z, r]);
  const outer = path
    .slice(middle - 1)
    .map(([x, y, z, r], k): TubePoint3 => [x - side * 0.5, y + broken.step * 0.5 * Math.exp(-k / 6), z, r]);
  drawBone(scene, inner, profile);
  drawBone(scene, outer, profile);
}

function drawShoulder(scene: Scene, side: Side): void {
  const { anatomy } = scene;
  if (scene.lateral) {
    // the blades' outer borders run down behind the lungs
    const y = 2.2 * anatomy.spacing;
    drawBone(
      scene,
      [
        [side * 11, y, -6.5 - side * 0.8, 0.34],
        [side * 10, y + 9, -8.6 - side * 0.8, 0.3],
      ],
      boneProfile(anatomy, 0.9),
    );
    return;
  }
  const outwards = scene.projection.view === 'AP' ? 0 : 1.5;
  const x = anatomy.halfWidth + outwards;
  const s = anatomy.spacing;
  const blade = boneProfile(anatomy, 0.35);
  // Medial border, lateral border, spine with acromion: thin plates whose edges are what one sees.
  const medial: TubePoint3[] = [
    [side * (x - 4.0), 1.2 * s, -9, 0.2],
    [side * (x - 3.4), 3.6 * s, -9.5, 0.22],
    [side * (x - 1.2), 6.6 * s, -9, 0.26],
  ];
  const lateralBorder: TubePoint3[] = [
    [side * (x - 1.2), 6.6 * s, -9, 0.3],
    [side * (x + 1.4), 3.8 * s, -7, 0.42],
    [side * (x + 2.6), 1.7 * s, -4.5, 0.6],
  ];
  const spineOfBlade: TubePoint3[] = [
    [side * (x - 3.8), 1.7 * s, -9.5, 0.35],
    [side * (x + 0.4), 0.5 * s, -8, 0.5],
    [side * (x + 3.8), -0.15 * s, -3, 0.7],
  ];
  for (const border of [medial, lateralBorder, spineOfBlade]) {
    drawBone(scene, curveThrough(border, 5), boneProfile(anatomy, 0.7));
  }
  // the plate itself
  drawBone(
    scene,
    [
      [side * (x - 0.2), 2.4 * s, -9, 2.5],
      [side * (x - 1.0), 5.6 * s, -9, 0.7],
    ],
    blade,
  );
  scene.grid.ellipsoid(
    scene.extra,
    scene.projection.ellipsoid({ centre: [side * (x + 5.2), 1.5 * s, -1.5], axes: [2.4, 2.5, 2.4] }),
    SPONGIOSA_EXCESS * anatomy.bone.mineral,
  );
  drawBone(
    scene,
    [
      [side * (x + 5.2), 1.6 * s, -1.5, 2.3],
      [side * (x + 6.6), 5 * s, -1, 1.5],
      [side * (x + 7.6), 9 * s, 0, 1.25],
    ],
    boneProfile(anatomy, 1.2),
  );
}

function drawSternum(scene: Scene): void {
  const { anatomy, right } = scene;
  const s = anatomy.spacing;
  const at = (y: number, radius: number): TubePoint3 => {
    const row = right.row(y);
    return [0, y, row.middleZ + row.halfDepth + 0.5, radius];
  };
  if (scene.lateral) {
    const profile = boneProfile(anatomy, 3);
    drawBone(scene, [at(1.6 * s, 0.6), at(3.3 * s, 0.55)], profile);
    drawBone(scene, [at(3.6 * s, 0.5), at(6.4 * s, 0.5), at(8.6 * s, 0.45)], profile);
    return;
  }
  drawBone(scene, [at(1.9 * s, 2.4), at(3.0 * s, 1.9)], boneProfile(anatomy, 0.35));
  drawBone(scene, [at(3.2 * s, 1.5), at(8.4 * s, 1.7)], boneProfile(anatomy, 0.3));
}

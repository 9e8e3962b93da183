/**
 * One phantom radiograph: sample a patient and a visit, let the findings change the patient, draw the anatomy, let the
 * findings draw what they add, expose. Every part draws from a random stream of its own, so the same picture with and
 * without a finding differs by that finding alone.
 */

import type { Finding } from '../data/tables/findings.js';
import { Random } from '../engine/random.js';
import { drawBody } from './anatomy/body.js';
import { drawMediastinum } from './anatomy/mediastinum.js';
import { drawSkeleton } from './anatomy/skeleton.js';
import { drawVessels } from './anatomy/vessels.js';
import { PhantomOptionsError } from './errors.js';
import { expose, sampleTechnique } from './exposure.js';
import type { FindingContext, PlannedFinding } from './findings/rule.js';
import { FINDING_RULES } from './findings/table.js';
import { drawSideMarker, sampleSideMarker } from './marker.js';
import { maskOfChange } from './mask.js';
import { type Anatomy, type Sex, sampleAnatomy, type View } from './patient.js';
import type { Pose } from './projection.js';
import { Scene } from './scene.js';

export interface PhantomOptions {
  /** Names the image: position, technique, the findings' places and the noise. Any safe integer. */
  readonly seed: number;
  /** Names the patient; images with the same one share their anatomy. Default: `seed`. */
  readonly patientSeed?: number;
  /** Pixels a side, 16–2048. Default 256. */
  readonly size?: number;
  /** What to draw; 'Normal' adds nothing. Default none. */
  readonly findings?: readonly Finding[];
  /** Default 'PA'. */
  readonly view?: View;
  readonly sex?: Sex;
  /** Years. */
  readonly age?: number;
}

export interface Phantom {
  /** [height, width] row by row, 0 (black) to 65535 (white), dense is bright. */
  readonly pixels: Uint16Array;
  readonly width: number;
  readonly height: number;
}

/** Draws one phantom. The same options give the same pixels, whatever else was drawn before. */
export function drawPhantom(options: PhantomOptions): Phantom {
  const { scene, planned } = drawAnatomy(options);
  for (const { finding } of planned) finding.draw?.(scene);
  return exposed(scene, options);
}

/** A mask of each focal finding that is drawn within the picture: [height, width], 1 where it is, 0 elsewhere. */
export interface MaskedPhantom extends Phantom {
  readonly masks: ReadonlyMap<Finding, Uint8Array>;
}

/**
 * The same picture, and where each of its focal findings is: where the drawing of the finding changes how much is absorbed. What
 * a finding does to the patient before, such as a heart pushed aside, is no part of it, unless it does nothing else (fractures).
 */
export function drawPhantomWithMasks(options: PhantomOptions): MaskedPhantom {
  const { scene, planned } = drawAnatomy(options);
  const { size, oversampling } = gridOf(options);
  const masks = new Map<Finding, Uint8Array>();
  let before = scene.attenuation();
  const plain = before;
  for (const { name, finding } of planned) {
    finding.draw?.(scene);
    const after = scene.attenuation();
    if (FINDING_RULES[name].focal) {
      const without = finding.draw ? before : drawAnatomy(options, name).scene.attenuation();
      const mask = maskOfChange(without, finding.draw ? after : plain, { size, oversampling });
      if (mask) masks.set(name, mask);
    }
    before = after;
  }
  return { ...exposed(scene, options), masks };
}

interface PlacedFinding {
  readonly name: Finding;
  readonly finding: PlannedFinding;
}

/** The patient as the findings made them, before any of them is drawn. @param without a finding that changes nothing */
function drawAnatomy(
  options: PhantomOptions,
  without?: Finding,
): { scene: Scene; planned: readonly PlacedFinding[] } {
  const { seed, patientSeed = seed, findings = [], view = 'PA' } = options;
  const { size, oversampling } = gridOf(options);
  const known = {
    ...(options.sex === undefined ? {} : { sex: options.sex }),
    ...(options.age === undefined ? {} : { age: options.age }),
  };
  const visit = new Random(seed, 'visit');
  const anatomy = sampleAnatomy(new Random(patientSeed, 'patient'), visit, view, known);
  const planned = findings.map((name): PlacedFinding => {
    // what lasts is the same at every visit of the patient
    const { course, plan } = FINDING_RULES[name];
    const stream = course === 'lasting' ? patientSeed : seed;
    const context: FindingContext = { view, side: new Random(stream, 'side').chance(0.5) ? -1 : 1 };
    return { name, finding: plan(new Random(stream, 'finding', name), context) };
  });
  for (const { name, finding } of planned) if (name !== without) finding.adapt?.(anatomy);

  const pose = samplePose(anatomy, visit, view);
  const scene = new Scene(anatomy, pose, size * oversampling);
  drawBody(scene);
  drawMediastinum(scene);
  drawVessels(scene, new Random(patientSeed, 'vessels'));
  drawSkeleton(scene);
  return { scene, planned };
}

/** The side marker, then the exposure. */
function exposed(scene: Scene, options: PhantomOptions): Phantom {
  const { seed, view = 'PA' } = options;
  const { size, oversampling } = gridOf(options);
  drawSideMarker(scene, sampleSideMarker(new Random(seed, 'marker'), view));
  const technique = sampleTechnique(new Random(seed, 'technique'), view);
  const noise = new Random(seed, 'noise');
  const { fieldCm } = scene.grid.frame;
  const pixels = expose(scene.attenuation(), size, oversampling, fieldCm, technique, noise);
  return { pixels, width: size, height: size };
}

/** Pixels a side, and samples a side of each. @throws PhantomOptionsError */
function gridOf({ size = 256 }: PhantomOptions): { size: number; oversampling: number } {
  checkPhantomSize(size);
  return { size, oversampling: size < 48 ? 3 : size < 384 ? 2 : 1 };
}

/** @throws PhantomOptionsError unless the size is a whole number from 16 to 2048 */
export function checkPhantomSize(size: number): void {
  if (Number.isInteger(size) && size >= 16 && size <= 2048) return;
  throw new PhantomOptionsError(`size must be a whole number of pixels from 16 to 2048, got ${size}`);
}

/** How the patient stands before the detector. */
function samplePose(anatomy: Anatomy, visit: Random, view: View): Pose {
  const careless = view === 'AP' ? 1.8 : 1;
  const yaw = 0.035 * careless * visit.normal();
  const tilt = (view === 'AP' ? 0.12 : 0) + 0.025 * careless * visit.normal();
  const roll = 0.016 * careless * visit.normal();
  const margin = visit.uniform(2.3, 2.75);
  const height = 17 * anatomy.spacing;
  const fieldCm = Math.max(margin * anatomy.halfWidth * 1.06, height);
  return {
    view,
    yaw,
    tilt,
    frame: {
      centreU: 0.5 * visit.normal() * careless,
      centreV: 5.75 * anatomy.spacing + 0.6 * visit.normal(),
      fieldCm: view === 'lateral' ? 0.92 * height : fieldCm,
      roll,
    },
  };
}

/**
 * What a finding is to the generator. `plan` decides its side, size and kind from a random stream of its own, then says
 * how it changes the patient before anything is drawn and what it adds to the finished anatomy.
 */
import type { Random } from '../../engine/random.js';
import type { Side } from '../geometry.js';
import type { Anatomy, View } from '../patient.js';
import type { Scene } from '../scene.js';

export interface FindingContext {
  readonly view: View;
  /** The side that this image's one-sided findings prefer, so that an effusion and its atelectasis meet. */
  readonly side: Side;
}

export interface PlannedFinding {
  /** Changes the anatomy: sizes, levels, densities. */
  readonly adapt?: (anatomy: Anatomy) => void;
  /** Draws over the finished anatomy. */
  readonly draw?: (scene: Scene) => void;
}

export type PlanFinding = (random: Random, context: FindingContext) => PlannedFinding;

/** The preferred side, four times out of five. */
export function chooseSide(random: Random, context: FindingContext): Side {
  return random.chance(0.8) ? context.side : context.side < 0 ? 1 : -1;
}

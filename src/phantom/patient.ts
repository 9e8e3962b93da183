/**
 * One patient at one visit, as numbers: what anatomy draws from and what findings change before anything is drawn.
 * A patient's own traits come from the patient's stream, those of the visit (inspiration, position) from the image's,
 * so that several images of a patient look like the same person.
 */
import type { Random } from '../engine/random.js';
import { NORMAL_LUNG_DENSITY } from './attenuation.js';
import { clamp, mix, type Side } from './geometry.js';

export type Sex = 'F' | 'M';
export type View = 'PA' | 'AP' | 'lateral';

/** A dome of the diaphragm: level of its top (cm below T1) and how far it falls to the chest wall (cm). */
export interface Dome {
  top: number;
  height: number;
}

export interface Anatomy {
  readonly sex: Sex;
  /** Years. */
  age: number;
  /** Distance of neighbouring thoracic vertebrae, cm; carries the patient's height. */
  readonly spacing: number;
  /** Half the inner width of the thorax at its widest, cm. */
  halfWidth: number;
  /** Factor on the front-to-back depth of the thorax; 1.2 is a barrel chest. */
  depth: number;
  right: Dome;
  left: Dome;
  /** Depth of the bony thorax's slope: cm that a middle rib falls from spine to front end. */
  ribSlope: number;
  /** Lung against soft tissue, 0–1. */
  lungDensity: number;
  /** Fat and muscle of the chest wall, cm. */
  wall: number;
  /** Breast size, 0 (none) to 1.3. */
  breast: number;
  /** Cardiothoracic ratio on a PA view. */
  cardiothoracicRatio: number;
  /** Shift of heart, trachea and mediastinum towards the patient's left, cm. */
  mediastinalShift: number;
  aorta: {
    /** Radius, cm. */
    radius: number;
    /** 0 slender, 1 long and tortuous. */
    elongation: number;
  };
  /** Sideways push on the trachea at the thoracic inlet, cm (positive: to the patient's left). */
  tracheaDeviation: number;
  hila: {
    /** Factor on the radius of the central pulmonary arteries. */
    scale: number;
  };
  vessels: {
    /** Factor on the calibre of vessels within the lung. */
    scale: number;
    /** Share of peripheral branches that are there at all. */
    peripheral: number;
  };
  spine: {
    /** Sideways curve: cm at the thoracic apex, positive to the patient's right (the common convexity). */
    scoliosis: number;
    /** Extra backward bulge at mid-thorax, cm. */
    kyphosis: number;
    /** Share of the height that the bent upper spine loses on the image. */
    crowding: number;
  };
  bone: {
    /** Factor on the mineral of cancellous bone. */
    mineral: number;
    /** Factor on cortical thickness. */
    cortex: number;
  };
  /** Level of gas and fluid in the stomach; 0 = no bubble, 1 = large. */
  gastricBubble: number;
  fractures: Fracture[];
}

/** A break, as the skeleton draws it. */
export type Fracture =
  | {
      readonly bone: 'rib';
      readonly side: Side;
      /** 1–11. */
      readonly number: number;
      /** Where around the chest, radians from the spine. */
      readonly angle: number;
      /** How far the outer piece has slipped downwards, cm. */
      readonly step: number;
      /** Radius of the healing callus, cm; 0 for a fresh break. */
      readonly callus: number;
    }
  | { readonly bone: 'clavicle'; readonly side: Side; readonly step: number }
  | {
      readonly bone: 'vertebra';
      readonly number: number;
      /** Height that is left, as a share. */
      readonly height: number;
    };

/**
 * @param patient stream of the patient's own traits @param visit stream of this image
 * @param known sex and age where they are already decided
 */
export function sampleAnatomy(
  patient: Random,
  visit: Random,
  view: View,
  known: { sex?: Sex; age?: number } = {},
): Anatomy {
  const drawnSex: Sex = patient.chance(0.5) ? 'F' : 'M';
  const drawnAge = clamp(patient.normal(58, 16), 20, 95);
  const sex = known.sex ?? drawnSex;
  const age = known.age ?? drawnAge;
  const elderly = clamp((age - 45) / 45, 0, 1);
  const female = sex === 'F';

  const spacing = (female ? 2.08 : 2.24) + 0.07 * patient.normal();
  const halfWidth = (female ? 12.5 : 13.8) + 0.55 * patient.normal();
  const bodyFat = clamp(patient.uniform() + 0.15 * patient.normal(), 0, 1.2);
  const rightOverLeft = clamp(patient.normal(1.3, 0.4), 0.4, 2.4);
  const restingTop = patient.normal(9.55, 0.3);
  const breast = female ? clamp(patient.normal(0.6, 0.35), 0, 1.3) : 0;
  const ratio = clamp(patient.normal(0.445 + 0.015 * elderly, 0.022), 0.39, 0.49);
  const aortaRadius = patient.normal(1.22, 0.07) + 0.18 * elderly;
  const unfolding = clamp(0.3 * elderly + patient.normal(0, 0.06), 0, 0.35);
  const mineral = clamp(1.05 - 0.2 * elderly * (female ? 1.2 : 0.7) + 0.06 * patient.normal(), 0.72, 1.2);
  const bubble = clamp(patient.normal(0.35, 0.3), 0, 1);
  const vesselScale = patient.normal(1, 0.06);
  const curve = patient.normal(0, 0.25);

  // A lying patient (AP) breathes in less: the diaphragm stands higher and the heart looks wider.
  const supine = view === 'AP' ? 0.55 : 0;
  const inspiration = clamp(visit.normal(0, 0.35) - supine, -1.1, 0.7);
  const top = (restingTop + inspiration) * spacing;

  return {
    sex,
    age,
    spacing,
    halfWidth,
    depth: 1 + 0.03 * patient.normal(),
    right: { top, height: 5 },
    left: { top: top + rightOverLeft, height: 5 },
    ribSlope: mix(8.2, 9.4, elderly) - 0.6 * inspiration,
    lungDensity: NORMAL_LUNG_DENSITY * (1 - 0.08 * inspiration) * (1 + 0.04 * visit.normal()),
    wall: 2.2 + 2.4 * bodyFat,
    breast,
    cardiothoracicRatio: clamp(ratio - 0.012 * inspiration, 0.38, 0.5),
    mediastinalShift: 0,
    aorta: { radius: aortaRadius, elongation: unfolding },
    tracheaDeviation: 0,
    hila: { scale: 1 },
    vessels: { scale: vesselScale, peripheral: 1 },
    spine: { scoliosis: curve, kyphosis: clamp(0.8 * elderly + 0.2 * patient.normal(), 0, 1), crowding: 0 },
    bone: { mineral, cortex: 1 },
    gastricBubble: bubble,
    fractures: [],
  };
}

/** Level of a vertebra or of a rib's head: 1 is T1; fractions lie in between. Cm below T1. */
export function vertebraY(anatomy: Anatomy, number: number): number {
  const { spacing, spine } = anatomy;
  const upper = Math.min(number - 0.9, 8);
  return spacing * (1 + 0.006 * number) * (number - 0.9 - spine.crowding * Math.max(0, upper));
}

/** Sideways position of the spine at level y (cm): an S with its main apex at T8. */
export function spineX(anatomy: Anatomy, y: number): number {
  const t = y / anatomy.spacing;
  const main = Math.exp(-((t - 7) * (t - 7)) / 18);
  const counter = Math.exp(-((t - 15) * (t - 15)) / 16) + 0.7 * Math.exp(-((t + 2) * (t + 2)) / 12);
  return -anatomy.spine.scoliosis * (main - 0.55 * counter);
}

/** Front-to-back position of the vertebral bodies' centres at level y (cm). */
export function spineZ(anatomy: Anatomy, y: number): number {
  const t = clamp(y / (11.5 * anatomy.spacing), -0.4, 1.4);
  const bulge = Math.exp(-((t - 0.5) * (t - 0.5)) / 0.1);
  return -4.6 - (2.6 + anatomy.spine.kyphosis) * bulge * anatomy.depth;
}

/** The dome on a side. */
export function domeOf(anatomy: Anatomy, side: Side): Dome {
  return side < 0 ? anatomy.right : anatomy.left;
}

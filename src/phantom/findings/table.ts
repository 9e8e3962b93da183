/**
 * The 36 findings: how common each is relative to the others, how long it lasts, what it comes with, and how it is
 * drawn. One row a finding, so that a radiologist can check the list without reading the rest.
 */
import type { Finding } from '../../data/tables/findings.js';
import { fracture, kyphosis, osteopenia, scoliosis, vertebralDegenerativeChanges } from './bones.js';
import { centralVenousCatheter, sternotomy, supportDevices } from './devices.js';
import { pneumoperitoneo, subcutaneousEmphysema } from './ectopic-air.js';
import { aorticAtheromatosis, aorticElongation, cardiomegaly } from './heart.js';
import { bronchiectasis, interstitialPattern } from './interstitium.js';
import { adenopathy, azygosLobe, goiter, hiatalHernia, vascularHilarEnlargement } from './mediastinum.js';
import { alveolarPattern, calcifiedDensities, infarction, mass, nodule } from './opacities.js';
import { hydropneumothorax, pleuralEffusion, pleuralThickening, pneumothorax } from './pleura.js';
import type { PlanFinding } from './rule.js';
import {
  atelectasis,
  bulla,
  emphysema,
  hemidiaphragmElevation,
  hyperinflatedLung,
  hypoexpansion,
} from './volume.js';

export interface FindingRule {
  /** Place by commonness, 0 the most common; the prevalence follows from it and the imbalance asked for. */
  readonly rank: number;
  /** A lasting trait of the patient, in all of their images, or a state of one visit. */
  readonly course: 'lasting' | 'passing';
  /** How many times likelier the finding is in the presence of another that is decided before it (0: never). */
  readonly companions?: Partial<Record<Finding, number>>;
  /** How much older than the average patient its carriers are, years. */
  readonly older?: number;
  /**
   * Whether it lies in a place of its own, of which there is a mask. Absent: it shows in both lungs, in all bones, or in shape
   * and size of what is there anyway.
   */
  readonly focal?: true;
  readonly plan: PlanFinding;
}

const nothing: PlanFinding = () => ({});

/**
 * Lasting findings come first: companions refer to rows above. Ranks of the 30 in-distribution findings are 0–29 in
 * the order in which they are common in hospital series; the six others are ranked among themselves.
 */
export const FINDING_RULES: Record<Finding, FindingRule> = {
  Normal: { rank: 0, course: 'lasting', plan: nothing },
  cardiomegaly: { rank: 1, course: 'lasting', older: 10, plan: cardiomegaly },
  'aortic elongation': {
    rank: 2,
    course: 'lasting',
    older: 16,
    companions: { cardiomegaly: 1.8 },
    plan: aorticElongation,
  },
  'aortic atheromatosis': {
    rank: 9,
    course: 'lasting',
    older: 18,
    companions: { 'aortic elongation': 2.5 },
    focal: true,
    plan: aorticAtheromatosis,
  },
  'vertebral degenerative changes': {
    rank: 6,
    course: 'lasting',
    older: 14,
    companions: { 'aortic elongation': 1.6 },
    plan: vertebralDegenerativeChanges,
  },
  'pleural thickening': { rank: 7, course: 'lasting', older: 8, focal: true, plan: pleuralThickening },
  Kyphosis: {
    rank: 12,
    course: 'lasting',
    older: 18,
    companions: { 'vertebral degenerative changes': 2 },
    plan: kyphosis,
  },
  Emphysema: { rank: 18, course: 'lasting', older: 8, plan: emphysema },
  'hyperinflated lung': {
    rank: 13,
    course: 'lasting',
    older: 8,
    companions: { Emphysema: 4, cardiomegaly: 0.5 },
    plan: hyperinflatedLung,
  },
  'calcified densities': { rank: 15, course: 'lasting', older: 6, focal: true, plan: calcifiedDensities },
  sternotomy: {
    rank: 14,
    course: 'lasting',
    older: 10,
    companions: { cardiomegaly: 3, 'aortic atheromatosis': 1.8 },
    focal: true,
    plan: sternotomy,
  },
  Hernia: {
    rank: 19,
    course: 'lasting',
    older: 12,
    companions: { Kyphosis: 2 },
    focal: true,
    plan: hiatalHernia,
  },
  'hemidiaphragm elevation': { rank: 17, course: 'lasting', plan: hemidiaphragmElevation },
  bronchiectasis: { rank: 20, course: 'lasting', focal: true, plan: bronchiectasis },
  'vascular hilar enlargement': {
    rank: 16,
    course: 'lasting',
    older: 6,
    companions: { cardiomegaly: 2, Emphysema: 2 },
    plan: vascularHilarEnlargement,
  },
  Mass: { rank: 24, course: 'lasting', older: 8, companions: { Emphysema: 2 }, focal: true, plan: mass },
  Nodule: { rank: 8, course: 'lasting', older: 4, companions: { Mass: 3 }, focal: true, plan: nodule },
  'azygos lobe': { rank: 26, course: 'lasting', focal: true, plan: azygosLobe },
  'interstitial pattern': {
    rank: 4,
    course: 'passing',
    older: 6,
    companions: { cardiomegaly: 1.8 },
    plan: interstitialPattern,
  },
  'Support Devices': {
    rank: 10,
    course: 'passing',
    older: 6,
    companions: { cardiomegaly: 2, sternotomy: 2 },
    focal: true,
    plan: supportDevices,
  },
  'pleural effusion': {
    rank: 3,
    course: 'passing',
    older: 5,
    companions: { cardiomegaly: 1.8, 'Support Devices': 1.6 },
    focal: true,
    plan: pleuralEffusion,
  },
  atelectasis: {
    rank: 5,
    course: 'passing',
    companions: { 'pleural effusion': 2.2, 'hemidiaphragm elevation': 2, sternotomy: 1.5 },
    focal: true,
    plan: atelectasis,
  },
  'alveolar pattern': {
    rank: 11,
    course: 'passing',
    companions: { 'pleural effusion': 1.8, 'Support Devices': 1.8 },
    focal: true,
    plan: alveolarPattern,
  },
  'central venous catheter': {
    rank: 21,
    course: 'passing',
    companions: { 'Support Devices': 3, 'pleural effusion': 2, sternotomy: 1.5 },
    focal: true,
    plan: centralVenousCatheter,
  },
  hypoexpansion: {
    rank: 22,
    course: 'passing',
    companions: { Emphysema: 0, 'hyperinflated lung': 0, 'Support Devices': 1.6 },
    plan: hypoexpansion,
  },
  fracture: {
    rank: 23,
    course: 'passing',
    companions: { Kyphosis: 1.8, 'vertebral degenerative changes': 1.3 },
    focal: true,
    plan: fracture,
  },
  Pneumothorax: {
    rank: 25,
    course: 'passing',
    companions: { Emphysema: 2, fracture: 3, 'pleural effusion': 0.7 },
    focal: true,
    plan: pneumothorax,
  },
  Hydropneumothorax: {
    rank: 28,
    course: 'passing',
    companions: { Pneumothorax: 0, 'pleural effusion': 0.5, 'Support Devices': 2 },
    focal: true,
    plan: hydropneumothorax,
  },
  'Subcutaneous Emphysema': {
    rank: 27,
    course: 'passing',
    companions: { Pneumothorax: 5, Hydropneumothorax: 4, fracture: 3 },
    plan: subcutaneousEmphysema,
  },
  pneumoperitoneo: {
    rank: 29,
    course: 'passing',
    companions: { 'Support Devices': 1.5 },
    focal: true,
    plan: pneumoperitoneo,
  },
  Scoliosis: { rank: 0, course: 'lasting', plan: scoliosis },
  Osteopenia: { rank: 1, course: 'lasting', older: 18, plan: osteopenia },
  goiter: { rank: 2, course: 'lasting', older: 8, focal: true, plan: goiter },
  Adenopathy: { rank: 3, course: 'passing', focal: true, plan: adenopathy },
  Bulla: { rank: 4, course: 'lasting', focal: true, plan: bulla },
  Infarction: { rank: 5, course: 'passing', focal: true, plan: infarction },
};

/**
 * The 36 findings of CXR-LT 2026 by their exact names and in their exact order. They are the columns of the challenge's
 * files and the order of a model's outputs, so they live in one place and nothing else spells them out.
 */

/** The 30 findings with training labels, in the order of the training CSV's columns. */
export const IN_DISTRIBUTION = [
  'Normal',
  'aortic elongation',
  'cardiomegaly',
  'pleural effusion',
  'Nodule',
  'atelectasis',
  'pleural thickening',
  'aortic atheromatosis',
  'Support Devices',
  'alveolar pattern',
  'fracture',
  'Hernia',
  'Emphysema',
  'azygos lobe',
  'Hydropneumothorax',
  'Kyphosis',
  'Mass',
  'Pneumothorax',
  'Subcutaneous Emphysema',
  'pneumoperitoneo',
  'vascular hilar enlargement',
  'vertebral degenerative changes',
  'hyperinflated lung',
  'interstitial pattern',
  'central venous catheter',
  'hypoexpansion',
  'bronchiectasis',
  'hemidiaphragm elevation',
  'sternotomy',
  'calcified densities',
] as const;

/** The 6 findings that are never trained on and only scored from text, in the submission's order. */
export const OUT_OF_DISTRIBUTION = [
  'Scoliosis',
  'Osteopenia',
  'Bulla',
  'Infarction',
  'Adenopathy',
  'goiter',
] as const;

/** All 36: in-distribution first. */
export const FINDINGS = [...IN_DISTRIBUTION, ...OUT_OF_DISTRIBUTION] as const;

export type InDistributionFinding = (typeof IN_DISTRIBUTION)[number];
export type OutOfDistributionFinding = (typeof OUT_OF_DISTRIBUTION)[number];
export type Finding = (typeof FINDINGS)[number];

/** Whether a text is one of the 36 names, spelt exactly. */
export function isFinding(name: string): name is Finding {
  return (FINDINGS as readonly string[]).includes(name);
}

/** The challenge's three groups by prevalence. */
export type FrequencyGroup = 'head' | 'medium' | 'tail';

/** Head above 10 %, tail below 1 %, medium between (both ends included). @param prevalence fraction in [0, 1] */
export function frequencyGroup(prevalence: number): FrequencyGroup {
  if (prevalence > 0.1) return 'head';
  return prevalence < 0.01 ? 'tail' : 'medium';
}

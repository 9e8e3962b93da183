/**
 * Linear attenuation of what a chest is made of, per cm, at the mean energy of a chest exposure behind the patient
 * (about 70 keV; rounded from NIST's tables). `EXCESS` values are what a material adds where it replaces soft tissue.
 */
export const SOFT_TISSUE = 0.19;

/** Density of lung, relative to soft tissue, at a normal inspiration. */
export const NORMAL_LUNG_DENSITY = 0.26;

/** Compact bone over soft tissue. */
export const CORTEX_EXCESS = 0.5;

/** Cancellous bone over soft tissue. */
export const SPONGIOSA_EXCESS = 0.14;

/** Calcium in plaques, nodes and granulomas, over soft tissue. */
export const CALCIUM_EXCESS = 0.6;

/** Steel, titanium, lead glass: opaque after a few mm. */
export const METAL_EXCESS = 4;

/** Silicone and PVC with a radio-opaque stripe, averaged over the tube's lumen. */
export const CATHETER_EXCESS = 0.95;

/** Air in place of soft tissue. */
export const AIR_EXCESS = -SOFT_TISSUE;

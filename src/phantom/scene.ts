/**
 * The radiograph while it is being drawn: the patient, the view, and the layers of material between source and
 * detector. Everything is laid in by its physics (cm of soft tissue, share of a lung that is filled, absorption added),
 * and `attenuation` turns the layers into one line integral per sample at the end.
 */
import { SOFT_TISSUE } from './attenuation.js';
import type { Point3, Side, TubePoint3 } from './geometry.js';
import { Grid, solid, type TubeProfile } from './grid.js';
import { Lung } from './lungs.js';
import type { Anatomy } from './patient.js';
import { type Ellipsoid, type Pose, Projection } from './projection.js';

export class Scene {
  readonly anatomy: Anatomy;
  readonly grid: Grid;
  readonly projection: Projection;
  readonly lateral: boolean;
  readonly right: Lung;
  readonly left: Lung;
  /** Soft tissue from skin to skin as if there were no lung, cm. */
  readonly body: Float32Array;
  /** Lung along the beam, cm: right and left apart, since most findings keep to a side. */
  readonly rightLung: Float32Array;
  readonly leftLung: Float32Array;
  /** Density of that lung relative to soft tissue: 0 air, 0.26 normal, 1 fluid or consolidation. */
  readonly rightDensity: Float32Array;
  readonly leftDensity: Float32Array;
  /** Absorption of vessels and bronchi, which vanish with the air around them. */
  readonly rightMarkings: Float32Array;
  readonly leftMarkings: Float32Array;
  /** Absorption of anything else, over (or, for air, under) the soft tissue it replaces. */
  readonly extra: Float32Array;

  constructor(anatomy: Anatomy, pose: Pose, width: number) {
    this.anatomy = anatomy;
    this.grid = new Grid(width, pose.frame);
    this.projection = new Projection(pose);
    this.lateral = this.projection.lateral;
    this.right = new Lung(anatomy, -1);
    this.left = new Lung(anatomy, 1);
    this.body = this.grid.layer();
    this.rightLung = this.grid.layer();
    this.leftLung = this.grid.layer();
    this.rightDensity = this.grid.layer(anatomy.lungDensity);
    this.leftDensity = this.grid.layer(anatomy.lungDensity);
    this.rightMarkings = this.grid.layer();
    this.leftMarkings = this.grid.layer();
    this.extra = this.grid.layer();
  }

  lung(side: Side): Lung {
    return side < 0 ? this.right : this.left;
  }

  chords(side: Side): Float32Array {
    return side < 0 ? this.rightLung : this.leftLung;
  }

  density(side: Side): Float32Array {
    return side < 0 ? this.rightDensity : this.leftDensity;
  }

  markings(side: Side): Float32Array {
    return side < 0 ? this.rightMarkings : this.leftMarkings;
  }

  /** Adds a tube of a material: `excess` is its attenuation over soft tissue, per cm. */
  tube(path: readonly TubePoint3[], excess: number, profile: TubeProfile = solid): void {
    this.grid.stroke(this.extra, this.projection.tube(path), excess, profile);
  }

  /** Adds a solid of a material: `excess` is its attenuation over soft tissue, per cm. */
  solid(shape: Ellipsoid, excess: number): void {
    this.grid.ellipsoid(this.extra, this.projection.ellipsoid(shape), excess);
  }

  /** Soft tissue that takes the place of lung, as the heart and the great vessels do. */
  displaceByEllipsoid(shape: Ellipsoid, layer: Float32Array): void {
    this.grid.ellipsoid(layer, this.projection.ellipsoid(shape), 1, 'max');
  }

  displaceByTube(path: readonly TubePoint3[], layer: Float32Array): void {
    this.grid.stroke(layer, this.projection.tube(path), 1, solid, 'max');
  }

  /**
   * Changes a lung sample by sample. `share(u, v, chord)` ∈ [0, 1] is how much of the lung there takes the new
   * density (0 air, 1 fluid or consolidation); markings fade by the same share.
   */
  fill(side: Side, density: number, share: (u: number, v: number, chord: number) => number): void {
    const chords = this.chords(side);
    const densities = this.density(side);
    const markings = this.markings(side);
    this.grid.visit((index, u, v) => {
      const chord = chords[index] as number;
      if (chord <= 0) return;
      const part = share(u, v, chord);
      if (part <= 0) return;
      densities[index] = (densities[index] as number) * (1 - part) + density * part;
      markings[index] = (markings[index] as number) * (1 - part);
    });
  }

  /** A solid of the given density within a lung: fills the share of the chord that it takes. */
  fillEllipsoid(side: Side, shape: Ellipsoid, density: number, strength = 1): void {
    const { u, v, quu, quv, qvv, halfDepth } = this.projection.ellipsoid(shape);
    const chords = this.chords(side);
    const densities = this.density(side);
    const markings = this.markings(side);
    const reach = Math.sqrt((quu + qvv) / (quu * qvv - quv * quv));
    this.grid.visitNear(u, v, reach, (index, pu, pv) => {
      const chord = chords[index] as number;
      if (chord <= 0) return;
      const du = pu - u;
      const dv = pv - v;
      const inside = 1 - (quu * du * du + 2 * quv * du * dv + qvv * dv * dv);
      if (inside <= 0) return;
      const part = Math.min(1, (2 * halfDepth * Math.sqrt(inside)) / chord) * strength;
      densities[index] = (densities[index] as number) * (1 - part) + density * part;
      markings[index] = (markings[index] as number) * (1 - part);
    });
  }

  /** Several solids that merge into one: where they overlap along the beam the thickest counts. */
  fillUnion(side: Side, shapes: readonly Ellipsoid[], density: number, strength = 1): void {
    const thickness = this.grid.layer();
    for (const shape of shapes) this.displaceByEllipsoid(shape, thickness);
    const { grid } = this;
    const chords = this.chords(side);
    const densities = this.density(side);
    const markings = this.markings(side);
    for (let i = 0; i < grid.width * grid.width; i++) {
      const chord = chords[i] as number;
      const thick = thickness[i] as number;
      if (thick === 0 || chord <= 0) continue;
      const part = Math.min(1, thick / chord) * strength;
      densities[i] = (densities[i] as number) * (1 - part) + density * part;
      markings[i] = (markings[i] as number) * (1 - part);
    }
  }

  /** True where a point lies inside either lung by at least `margin` cm. */
  inLung(side: Side, [x, y, z]: Point3, margin = 0): boolean {
    return this.lung(side).clearance(x, y, z) >= margin;
  }

  /** The line integral of attenuation at every sample. */
  attenuation(): Float32Array {
    const { body, extra } = this;
    const total = this.grid.layer();
    for (let i = 0; i < total.length; i++) {
      const right = (this.rightLung[i] as number) * (1 - (this.rightDensity[i] as number));
      const left = (this.leftLung[i] as number) * (1 - (this.leftDensity[i] as number));
      const tissue = SOFT_TISSUE * Math.max(0, (body[i] as number) - right - left);
      const markings = (this.rightMarkings[i] as number) + (this.leftMarkings[i] as number);
      total[i] = Math.max(0, tissue + markings + (extra[i] as number));
    }
    return total;
  }
}

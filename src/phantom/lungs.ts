/**
 * The pleural cavities as solids: where lung lies and how much of it a beam crosses, from the front or from the side.
 *
 * A lung is the part of the thorax beyond the mediastinum and above its dome of the diaphragm. Its horizontal section is
 * a quarter of a flattened ellipse, |z − z₀| ≤ b·√(1 − (x/X)⁴), and the dome is a paraboloid, so that both chords have
 * closed forms and the costophrenic angle, the recess behind the dome and the sharp outline of the diaphragm follow from
 * the geometry instead of being painted.
 */

import { clamp, mix, type Side, smoothstep } from './geometry.js';
import { type Anatomy, type Dome, domeOf, spineX, spineZ } from './patient.js';

const TABLE_TOP = -2;
const TABLE_BOTTOM = 36;
const ROWS_PER_CM = 12;
/** How far the dome's top lies in front of the middle, and its half depth, cm. */
const DOME_CENTRE_Z = 2.2;
const DOME_HALF_DEPTH = 9.2;

/** The horizontal extent of a pleural cavity at a level, cm, with x counted from the midline outwards. */
export interface LungRow {
  /** Inner and outer border. */
  medial: number;
  lateral: number;
  /** Middle and half of the front-to-back extent. */
  middleZ: number;
  halfDepth: number;
}

/** What a beam crosses of one pleural cavity, cm: all of it, and the part below the diaphragm. */
export interface Chord {
  readonly span: number;
  readonly dome: number;
}

const NO_CHORD: Chord = { span: 0, dome: 0 };

export class Lung {
  readonly side: Side;
  readonly apexY: number;
  readonly dome: Dome;
  readonly #rows: LungRow[] = [];
  readonly #apexX: number;
  readonly #domeX: number;
  readonly #reachLateral: number;
  readonly #reachMedial: number;

  constructor(anatomy: Anatomy, side: Side) {
    this.side = side;
    this.apexY = 0.25 * anatomy.spacing;
    this.dome = domeOf(anatomy, side);
    for (let y = TABLE_TOP; y <= TABLE_BOTTOM; y += 1 / ROWS_PER_CM)
      this.#rows.push(lungRow(anatomy, side, y));
    this.#apexX = 0.36 * anatomy.halfWidth;
    this.#domeX = 0.5 * anatomy.halfWidth;
    this.#reachLateral = anatomy.halfWidth - this.#domeX;
    this.#reachMedial = 8.5;
  }

  row(y: number): LungRow {
    const position = (clamp(y, TABLE_TOP, TABLE_BOTTOM) - TABLE_TOP) * ROWS_PER_CM;
    return this.#rows[Math.min(Math.round(position), this.#rows.length - 1)] as LungRow;
  }

  /** The pleural cavity crossed by a beam from front to back at (x, y), with what the dome takes of it; cm. */
  frontalChord(x: number, y: number): Chord {
    if (y < this.apexY) return NO_CHORD;
    const out = x * this.side;
    const row = this.row(y);
    if (out <= row.medial || out >= row.lateral) return NO_CHORD;
    const q = (out * out) / (row.lateral * row.lateral);
    const half = row.halfDepth * Math.sqrt(1 - q * q) * smoothstep(row.medial - 0.5, row.medial + 1.6, out);
    const reach = out > this.#domeX ? this.#reachLateral : this.#reachMedial;
    const across = (out - this.#domeX) / reach;
    const under = (y - this.dome.top) / this.dome.height - across * across;
    if (under <= 0) return { span: 2 * half, dome: 0 };
    const domeHalf = DOME_HALF_DEPTH * Math.sqrt(under);
    const front = Math.min(row.middleZ + half, DOME_CENTRE_Z + domeHalf);
    const back = Math.max(row.middleZ - half, DOME_CENTRE_Z - domeHalf);
    return { span: 2 * half, dome: Math.max(0, front - back) };
  }

  /** The pleural cavity crossed by a beam from side to side at (y, z), with what the dome takes of it; cm. */
  lateralChord(y: number, z: number): Chord {
    if (y < this.apexY) return NO_CHORD;
    const row = this.row(y);
    const dz = (z - row.middleZ) / row.halfDepth;
    if (dz <= -1 || dz >= 1) return NO_CHORD;
    const outer = row.lateral * Math.sqrt(Math.sqrt(1 - dz * dz));
    const span = outer - row.medial;
    if (span <= 0) return NO_CHORD;
    const along = (z - DOME_CENTRE_Z) / DOME_HALF_DEPTH;
    const under = (y - this.dome.top) / this.dome.height - along * along;
    if (under <= 0) return { span, dome: 0 };
    const root = Math.sqrt(under);
    const overlap =
      Math.min(outer, this.#domeX + this.#reachLateral * root) -
      Math.max(row.medial, this.#domeX - this.#reachMedial * root);
    return { span, dome: Math.max(0, overlap) };
  }

  /**
   * Distance from a point of the frontal outline to the chest wall (side or apex), cm: the height of the triangle that
   * the ways outwards and upwards span, exact where the wall is straight.
   */
  wallDistance(out: number, y: number): number {
    const across = Math.max(0, this.row(y).lateral - out);
    const up = Math.max(0, y - this.#topAt(out));
    return across === 0 || up === 0 ? 0 : (across * up) / Math.sqrt(across * across + up * up);
  }

  /** Level at which the wall begins above a point at distance `out` from the midline. */
  #topAt(out: number): number {
    if (out <= this.#apexX) return this.apexY;
    let low = 0;
    let high = this.#rows.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#rows[middle] as LungRow).lateral < out) low = middle + 1;
      else high = middle;
    }
    const at = this.#rows[low] as LungRow;
    const above = this.#rows[Math.max(0, low - 1)] as LungRow;
    const part = at.lateral > above.lateral ? (at.lateral - out) / (at.lateral - above.lateral) : 0;
    return Math.max(this.apexY, TABLE_TOP + (low - part) / ROWS_PER_CM);
  }

  /** Level of the diaphragm on a frontal outline at distance `out` from the midline, cm. */
  diaphragmY(out: number): number {
    const reach = out > this.#domeX ? this.#reachLateral : this.#reachMedial;
    const across = (out - this.#domeX) / reach;
    return this.dome.top + this.dome.height * across * across;
  }

  /** Distance of the dome's top from the midline, cm. */
  get domeX(): number {
    return this.#domeX;
  }

  /** Level of the diaphragm on a lateral outline, cm. */
  diaphragmYAtDepth(z: number): number {
    const along = (z - DOME_CENTRE_Z) / DOME_HALF_DEPTH;
    return this.dome.top + this.dome.height * along * along;
  }

  /** How far inside the lung a point lies, cm (negative outside): the least of its distances to the borders. */
  clearance(x: number, y: number, z: number): number {
    const out = x * this.side;
    const row = this.row(y);
    const dz = (z - row.middleZ) / row.halfDepth;
    if (dz <= -1 || dz >= 1) return -1;
    const outer = row.lateral * Math.sqrt(Math.sqrt(1 - dz * dz));
    const reach = out > this.#domeX ? this.#reachLateral : this.#reachMedial;
    const across = (out - this.#domeX) / reach;
    const along = (z - DOME_CENTRE_Z) / DOME_HALF_DEPTH;
    const floor = this.dome.top + this.dome.height * (across * across + along * along);
    return Math.min(
      outer - out,
      out - row.medial,
      y - this.apexY,
      floor - y,
      (1 - Math.abs(dz)) * row.halfDepth,
    );
  }
}

function lungRow(anatomy: Anatomy, side: Side, y: number): LungRow {
  const { spacing, halfWidth } = anatomy;
  const apexX = 0.36 * halfWidth;
  const down = clamp((y - 0.25 * spacing) / (8.6 * spacing), 0, 1);
  const opening = Math.sqrt(down * (2 - down));
  const bow = spineX(anatomy, y);
  const spread = clamp((y - 0.25 * spacing) / (1.6 * spacing), 0, 1);
  const inward = Math.sqrt(spread * (2 - spread));
  const front = mix(3.2, 8.3, clamp((y + 1) / (8 * spacing), 0, 1)) * anatomy.depth;
  const back = spineZ(anatomy, y) - 2.2;
  const apical = clamp((y - 0.25 * spacing) / (2.6 * spacing), 0, 1);
  const halfDepth = ((front - back) / 2) * mix(0.25, 1, Math.sqrt(apical * (2 - apical)));
  return {
    medial:
      mix(apexX, medialBorder(anatomy, y), inward) +
      side * (0.6 * bow + 0.5 * anatomy.mediastinalShift * inward),
    lateral: mix(apexX, halfWidth, opening) + side * 0.35 * bow,
    middleZ: (front + back) / 2,
    halfDepth: Math.max(0.5, halfDepth),
  };
}

/** Half width of the mediastinum without heart and aorta: broad at the inlet, narrow below the arch. */
function medialBorder(anatomy: Anatomy, y: number): number {
  const t = y / anatomy.spacing;
  return 1.45 + 1.0 * smoothstep(3.6, 0.8, t) + 0.35 * smoothstep(7, 10, t);
}

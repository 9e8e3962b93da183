/**
 * The drawing surface: a square grid of detector samples that knows where each of them lies in cm, and fills tubes and
 * ellipses into layers of line integrals. Everything thinner than a sample keeps its total absorption (its profile is
 * widened and lowered), so that a wire looks the same, only blurred, at 64 px as at 512.
 */

/** A point of the detector plane with the radius of the tube that passes through it, all cm. */
export type TubePoint = readonly [u: number, v: number, radius: number];

/** Thickness in cm at squared relative distance q = (d/r)² ∈ [0, 1) from the axis of a tube of radius r. */
export type TubeProfile = (q: number, radius: number) => number;

/** An ellipsoid as a view sees it: its outline q(u,v) = 1 and half its depth along the beam, cm. */
export interface ProjectedEllipsoid {
  readonly u: number;
  readonly v: number;
  readonly quu: number;
  readonly quv: number;
  readonly qvv: number;
  readonly halfDepth: number;
}

export interface GridFrame {
  /** Centre of the detector in the plane's coordinates, cm. */
  readonly centreU: number;
  readonly centreV: number;
  /** Side of the square field, cm. */
  readonly fieldCm: number;
  /** In-plane rotation of the patient, radians, clockwise on the image. */
  readonly roll: number;
}

type Combine = 'add' | 'max';

const OUTSIDE = 2;
const THINNEST_PIXELS = 0.75;

/** A solid cylinder: the chord of a circle. */
export const solid: TubeProfile = (q, radius) => 2 * radius * Math.sqrt(1 - q);

/** A pipe whose wall takes this share of its radius. */
export function pipe(wallShare: number): TubeProfile {
  const inner = (1 - wallShare) * (1 - wallShare);
  return (q, radius) => 2 * radius * (Math.sqrt(1 - q) - (q < inner ? Math.sqrt(inner - q) : 0));
}

/** A ribbon of constant thickness (cm) with soft borders. */
export function ribbon(thickness: number): TubeProfile {
  return (q) => thickness * Math.min(1, 2.5 * (1 - q));
}

export class Grid {
  readonly width: number;
  readonly frame: GridFrame;
  readonly #pixelsPerCm: number;
  readonly #cos: number;
  readonly #sin: number;
  readonly #nearest: Float32Array;
  readonly #radius: Float32Array;

  /** @param width samples a side */
  constructor(width: number, frame: GridFrame) {
    this.width = width;
    this.frame = frame;
    this.#pixelsPerCm = width / frame.fieldCm;
    this.#cos = Math.cos(frame.roll);
    this.#sin = Math.sin(frame.roll);
    this.#nearest = new Float32Array(width * width).fill(OUTSIDE);
    this.#radius = new Float32Array(width * width);
  }

  layer(value = 0): Float32Array {
    const layer = new Float32Array(this.width * this.width);
    return value === 0 ? layer : layer.fill(value);
  }

  /** Where a place given as fractions [0, 1] of the image's width and height lies in the plane, cm. */
  planePoint(column: number, row: number): [u: number, v: number] {
    const { centreU, centreV, fieldCm } = this.frame;
    const du = (column - 0.5) * fieldCm;
    const dv = (row - 0.5) * fieldCm;
    return [centreU + du * this.#cos + dv * this.#sin, centreV - du * this.#sin + dv * this.#cos];
  }

  /** Calls `visit(index, u, v)` for every sample. */
  visit(visit: (index: number, u: number, v: number) => void): void {
    const { centreU, centreV } = this.frame;
    const stepU = this.#cos / this.#pixelsPerCm;
    const stepV = this.#sin / this.#pixelsPerCm;
    const half = this.width / 2 - 0.5;
    let index = 0;
    for (let row = 0; row < this.width; row++) {
      const u0 = centreU - half * stepU + (row - half) * stepV;
      const v0 = centreV + half * stepV + (row - half) * stepU;
      for (let column = 0; column < this.width; column++, index++) {
        visit(index, u0 + column * stepU, v0 - column * stepV);
      }
    }
  }

  /** Like `visit`, for the samples within `reach` cm of (u, v) only. */
  visitNear(u: number, v: number, reach: number, visit: (index: number, u: number, v: number) => void): void {
    const column = this.#column(u, v);
    const row = this.#row(u, v);
    const pixels = reach * this.#pixelsPerCm + 1;
    const { centreU, centreV } = this.frame;
    const half = this.width / 2;
    const [left, right] = this.#span(column - pixels, column + pixels);
    const [top, bottom] = this.#span(row - pixels, row + pixels);
    for (let y = top; y <= bottom; y++) {
      const dv = (y + 0.5 - half) / this.#pixelsPerCm;
      for (let x = left; x <= right; x++) {
        const du = (x + 0.5 - half) / this.#pixelsPerCm;
        visit(
          y * this.width + x,
          centreU + du * this.#cos + dv * this.#sin,
          centreV - du * this.#sin + dv * this.#cos,
        );
      }
    }
  }

  /**
   * Lays a tube along a path into a layer: `gain` × the profile's thickness, once per sample however the path bends.
   * With 'max' the layer keeps the greater of what it had and the tube.
   */
  stroke(
    layer: Float32Array,
    path: readonly TubePoint[],
    gain: number,
    profile: TubeProfile = solid,
    combine: Combine = 'add',
  ): void {
    const width = this.width;
    let top = width;
    let bottom = -1;
    let left = width;
    let right = -1;
    const thinnest = THINNEST_PIXELS / this.#pixelsPerCm;
    for (let i = 0; i + 1 < path.length || (i === 0 && path.length === 1); i++) {
      const a = path[i];
      const b = path[i + 1] ?? a;
      if (a === undefined || b === undefined) break;
      const ax = this.#column(a[0], a[1]);
      const ay = this.#row(a[0], a[1]);
      const dx = this.#column(b[0], b[1]) - ax;
      const dy = this.#row(b[0], b[1]) - ay;
      const ra = Math.max(a[2], thinnest) * this.#pixelsPerCm;
      const rb = Math.max(b[2], thinnest) * this.#pixelsPerCm;
      const reach = Math.max(ra, rb);
      const lengthSquared = dx * dx + dy * dy;
      const [x0, x1] = this.#span(Math.min(ax, ax + dx) - reach, Math.max(ax, ax + dx) + reach);
      const [y0, y1] = this.#span(Math.min(ay, ay + dy) - reach, Math.max(ay, ay + dy) + reach);
      if (x1 < x0 || y1 < y0) continue;
      if (y0 < top) top = y0;
      if (y1 > bottom) bottom = y1;
      if (x0 < left) left = x0;
      if (x1 > right) right = x1;
      for (let y = y0; y <= y1; y++) {
        const py = y + 0.5 - ay;
        for (let x = x0; x <= x1; x++) {
          const px = x + 0.5 - ax;
          let t = lengthSquared > 0 ? (px * dx + py * dy) / lengthSquared : 0;
          t = t < 0 ? 0 : Math.min(t, 1);
          const ex = px - t * dx;
          const ey = py - t * dy;
          const r = ra + (rb - ra) * t;
          const q = (ex * ex + ey * ey) / (r * r);
          const index = y * width + x;
          if (q < 1 && q < (this.#nearest[index] as number)) {
            this.#nearest[index] = q;
            this.#radius[index] = a[2] + (b[2] - a[2]) * t;
          }
        }
      }
    }
    for (let y = top; y <= bottom; y++) {
      for (let index = y * width + left; index <= y * width + right; index++) {
        const q = this.#nearest[index] as number;
        if (q >= 1) continue;
        this.#nearest[index] = OUTSIDE;
        const radius = this.#radius[index] as number;
        const widened = radius < thinnest ? radius / thinnest : 1;
        const value = gain * widened * profile(q, radius);
        const old = layer[index] as number;
        layer[index] = combine === 'add' ? old + value : Math.max(old, value);
      }
    }
  }

  /** Adds (or keeps the greater of) `gain` × the chord of an ellipsoid. */
  ellipsoid(layer: Float32Array, shape: ProjectedEllipsoid, gain: number, combine: Combine = 'add'): void {
    const { u, v, quu, quv, qvv, halfDepth } = shape;
    const determinant = quu * qvv - quv * quv;
    const reach = Math.sqrt((quu + qvv) / determinant);
    this.visitNear(u, v, reach, (index, pu, pv) => {
      const du = pu - u;
      const dv = pv - v;
      const inside = 1 - (quu * du * du + 2 * quv * du * dv + qvv * dv * dv);
      if (inside <= 0) return;
      const value = gain * 2 * halfDepth * Math.sqrt(inside);
      const old = layer[index] as number;
      layer[index] = combine === 'add' ? old + value : Math.max(old, value);
    });
  }

  #column(u: number, v: number): number {
    const { centreU, centreV } = this.frame;
    const along = (u - centreU) * this.#cos - (v - centreV) * this.#sin;
    return this.width / 2 + along * this.#pixelsPerCm;
  }

  #row(u: number, v: number): number {
    const { centreU, centreV } = this.frame;
    const down = (u - centreU) * this.#sin + (v - centreV) * this.#cos;
    return this.width / 2 + down * this.#pixelsPerCm;
  }

  #span(low: number, high: number): [first: number, last: number] {
    return [Math.max(0, Math.floor(low)), Math.min(this.width - 1, Math.floor(high))];
  }
}

/**
 * The few pieces of geometry that anatomy and findings are written with.
 *
 * Patient frame, in cm: x to the patient's left (the viewer's right on a frontal image), y downwards from the level of
 * the first thoracic vertebra, z towards the front. The detector's plane is (u, v), v downwards.
 */

/** A point of the patient frame, cm. */
export type Point3 = readonly [x: number, y: number, z: number];

/** A point of the patient frame with the radius of the tube that passes through it, cm. */
export type TubePoint3 = readonly [x: number, y: number, z: number, radius: number];

/** −1 is the patient's right (the left of a frontal image), +1 the patient's left. */
export type Side = -1 | 1;

export function clamp(value: number, low: number, high: number): number {
  return value < low ? low : Math.min(value, high);
}

export function mix(a: number, b: number, t: number): number {
  return a + (b - a) * t;
}

/** 0 below `from`, 1 above `to`, a cubic in between; `from` may be greater than `to`. */
export function smoothstep(from: number, to: number, value: number): number {
  const t = clamp((value - from) / (to - from), 0, 1);
  return t * t * (3 - 2 * t);
}

/** A bump of height 1 at 0 that falls to 0 at ±1. */
export function bump(t: number): number {
  const s = 1 - t * t;
  return s <= 0 ? 0 : s * s;
}

/**
 * A smooth curve through all points (Catmull–Rom), sampled `steps` times a span. Works for points of any length, so a
 * radius as last coordinate is interpolated along.
 */
export function curveThrough<P extends readonly number[]>(points: readonly P[], steps: number): P[] {
  const first = points[0];
  const last = points[points.length - 1];
  if (first === undefined || last === undefined) return [];
  const curve: P[] = [];
  for (let span = 0; span + 1 < points.length; span++) {
    const a = points[span] ?? first;
    const b = points[span + 1] ?? last;
    const before = points[span - 1] ?? a;
    const after = points[span + 2] ?? b;
    for (let step = 0; step < steps; step++) {
      const t = step / steps;
      curve.push(
        a.map((value, axis) =>
          spline(before[axis] ?? 0, value, b[axis] ?? 0, after[axis] ?? 0, t),
        ) as unknown as P,
      );
    }
  }
  curve.push(last);
  return curve;
}

function spline(before: number, a: number, b: number, after: number, t: number): number {
  const t2 = t * t;
  return (
    0.5 *
    (2 * a +
      (b - before) * t +
      (2 * before - 5 * a + 4 * b - after) * t2 +
      (3 * a - before - 3 * b + after) * t2 * t)
  );
}

/** Points of a circle or ellipse arc in a frontal plane; angles in radians, 0 along +x, growing towards +y (down). */
export function frontalArc(
  centre: Point3,
  radiusX: number,
  radiusY: number,
  from: number,
  to: number,
  steps: number,
): Point3[] {
  const points: Point3[] = [];
  for (let step = 0; step <= steps; step++) {
    const angle = mix(from, to, step / steps);
    points.push([centre[0] + radiusX * Math.cos(angle), centre[1] + radiusY * Math.sin(angle), centre[2]]);
  }
  return points;
}

/** Gives every point of a path the same radius, cm. */
export function withRadius(path: readonly Point3[], radius: number): TubePoint3[] {
  return path.map(([x, y, z]) => [x, y, z, radius]);
}

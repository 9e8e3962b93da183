/**
 * How a view carries the patient onto the detector: perspective from a point source (which is why an AP heart looks
 * wider), the patient's rotation about the long axis, the tilt of the beam, and the same solids seen from the side.
 */

import type { Point3, TubePoint3 } from './geometry.js';
import type { GridFrame, ProjectedEllipsoid, TubePoint } from './grid.js';
import type { View } from './patient.js';

/** An ellipsoid whose first two axes may be turned within the frontal plane. */
export interface Ellipsoid {
  readonly centre: Point3;
  /** Half axes, cm. */
  readonly axes: Point3;
  /** Radians from +x towards +y. */
  readonly turn?: number;
}

export interface Pose {
  readonly view: View;
  /** Turn about the long axis, radians; positive moves the front to the patient's left. */
  readonly yaw: number;
  /** Upward tilt of the beam: cm that a point moves on the image per cm towards the front. */
  readonly tilt: number;
  readonly frame: GridFrame;
}

const LEVEL_OF_CENTRAL_RAY = 12;

export class Projection {
  readonly view: View;
  readonly lateral: boolean;
  readonly #yaw: number;
  readonly #tilt: number;
  readonly #sourceDistance: number;
  readonly #detectorDepth: number;

  constructor(pose: Pose) {
    this.view = pose.view;
    this.lateral = pose.view === 'lateral';
    this.#yaw = pose.yaw;
    this.#tilt = pose.tilt;
    this.#sourceDistance = pose.view === 'AP' ? 110 : 180;
    this.#detectorDepth = pose.view === 'lateral' ? 18 : 12;
  }

  /** Where a point of the patient falls, relative to the size of structures in the middle of the chest; cm. */
  point(x: number, y: number, z: number): [u: number, v: number] {
    const m = this.magnification(x, z);
    if (this.lateral) return [-z * m, LEVEL_OF_CENTRAL_RAY + (y - LEVEL_OF_CENTRAL_RAY) * m];
    const turned = x + this.#yaw * z;
    return [turned * m, LEVEL_OF_CENTRAL_RAY + (y - LEVEL_OF_CENTRAL_RAY - this.#tilt * z) * m];
  }

  /** 1 in the middle of the chest, more towards the source. */
  magnification(x: number, z: number): number {
    // distance from the middle towards the detector: front for PA, back for AP, the left side for a left lateral
    const near = this.view === 'PA' ? z : this.view === 'AP' ? -z : x;
    const middle = this.#sourceDistance - this.#detectorDepth;
    return middle / (middle + near);
  }

  tube(path: readonly TubePoint3[]): TubePoint[] {
    return path.map(([x, y, z, radius]) => {
      const [u, v] = this.point(x, y, z);
      return [u, v, radius * this.magnification(x, z)];
    });
  }

  ellipsoid({ centre, axes, turn = 0 }: Ellipsoid): ProjectedEllipsoid {
    const [u, v] = this.point(centre[0], centre[1], centre[2]);
    const m = this.magnification(centre[0], centre[2]);
    const [a, b, c] = [axes[0] * m, axes[1] * m, axes[2] * m];
    const cos = Math.cos(turn);
    const sin = Math.sin(turn);
    const xx = (cos * cos) / (a * a) + (sin * sin) / (b * b);
    const xy = cos * sin * (1 / (a * a) - 1 / (b * b));
    const yy = (sin * sin) / (a * a) + (cos * cos) / (b * b);
    if (!this.lateral) return { u, v, quu: xx, quv: xy, qvv: yy, halfDepth: c };
    return { u, v, quu: 1 / (c * c), quv: 0, qvv: yy - (xy * xy) / xx, halfDepth: 1 / Math.sqrt(xx) };
  }
}

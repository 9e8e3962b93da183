/** Opacities of the lung itself: nodule, mass, alveolar pattern, infarction, calcified densities. */
import type { Random } from '../../engine/random.js';
import { hilum } from '../anatomy/vessels.js';
import { AIR_EXCESS, CALCIUM_EXCESS, SOFT_TISSUE } from '../attenuation.js';
import { mix, type Point3, type Side, smoothstep, type TubePoint3 } from '../geometry.js';
import { Texture } from '../noise.js';
import { pointInLung } from '../placement.js';
import type { Ellipsoid } from '../projection.js';
import type { Scene } from '../scene.js';
import { chooseSide, type PlanFinding } from './rule.js';

/** One to four round opacities up to 3 cm. */
export const nodule: PlanFinding = (random, context) => ({
  draw(scene) {
    const count = random.chance(0.5) ? 1 : 2 + random.int(3);
    for (let k = 0; k < count; k++) {
      const side = chooseSide(random, context);
      const radius = random.uniform(0.9, 1.5);
      const centre = pointInLung(scene, side, random, { from: 0.15, to: 0.85, margin: radius });
      const axes: Point3 = [radius, radius * random.uniform(0.85, 1.15), 2.2 * radius];
      scene.fillEllipsoid(side, { centre, axes, turn: random.uniform(0, 3) }, 1);
    }
  },
});

/** One opacity above 3 cm, lobulated or spiculated. */
export const mass: PlanFinding = (random, context) => ({
  draw(scene) {
    const side = chooseSide(random, context);
    const radius = random.uniform(1.9, 3.6);
    const centre = pointInLung(scene, side, random, {
      from: 0.15,
      to: 0.8,
      inner: 0.25,
      margin: 0.5 * radius,
    });
    const lobes = 4 + random.int(3);
    const shapes: Ellipsoid[] = [{ centre, axes: [radius, 0.92 * radius, 1.5 * radius] }];
    for (let k = 0; k < lobes; k++) {
      const angle = (6.28 * k) / lobes + random.uniform(-0.4, 0.4);
      const r = radius * random.uniform(0.4, 0.62);
      const out = radius * random.uniform(0.55, 0.75);
      const lobe: Point3 = [centre[0] + out * Math.cos(angle), centre[1] + out * Math.sin(angle), centre[2]];
      shapes.push({ centre: lobe, axes: [r, r, 2 * r] });
    }
    scene.fillUnion(side, shapes, 1);
    if (random.chance(0.6)) drawSpicules(scene, random, centre, radius);
  },
});

function drawSpicules(scene: Scene, random: Random, [x, y, z]: Point3, radius: number): void {
  for (let k = 0; k < 16; k++) {
    const angle = (6.28 * k) / 16 + random.uniform(-0.2, 0.2);
    const from = 0.85 * radius;
    const to = radius * random.uniform(1.2, 1.7);
    const [c, s] = [Math.cos(angle), Math.sin(angle)];
    scene.tube(
      [
        [x + from * c, y + from * s, z, 0.14],
        [x + to * c, y + to * s, z, 0.03],
      ],
      1.6 * SOFT_TISSUE,
    );
  }
}

/** Airspace filled with fluid: ill-defined, fluffy, merging opacities with air bronchograms. */
export const alveolarPattern: PlanFinding = (random, context) => {
  const kind = random.uniform();
  return {
    draw(scene) {
      const texture = new Texture(random, 1.3);
      const strength = random.uniform(0.6, 0.95);
      if (kind < 0.25) {
        // bat's wing: both perihilar regions
        for (const side of [-1, 1] as const) {
          const [x, y, z] = hilum(scene.anatomy, side);
          const centre: Point3 = [x + side * 2.4, y + 1, z];
          consolidate(
            scene,
            side,
            centre,
            [random.uniform(3, 4.2), random.uniform(4.5, 6.5), 8],
            strength,
            texture,
          );
        }
        return;
      }
      const patches = kind < 0.7 ? 1 : 3 + random.int(3);
      for (let k = 0; k < patches; k++) {
        const side = patches > 1 ? random.pick<Side>([-1, 1]) : chooseSide(random, context);
        const size = patches > 1 ? random.uniform(2, 3.6) : random.uniform(3.5, 6);
        const zone = { from: 0.2, to: 0.95, inner: 0.25, outer: 0.8, margin: 1 };
        const centre = pointInLung(scene, side, random, zone);
        consolidate(
          scene,
          side,
          centre,
          [size, size * random.uniform(0.7, 1.1), 1.5 * size],
          strength,
          texture,
        );
        if (patches === 1) drawAirBronchogram(scene, side, centre, size, random);
      }
    },
  };
};

function consolidate(
  scene: Scene,
  side: Side,
  centre: Point3,
  axes: Point3,
  strength: number,
  texture: Texture,
): void {
  const { u, v, quu, qvv } = scene.projection.ellipsoid({ centre, axes });
  scene.fill(side, 1, (pu, pv) => {
    const du = pu - u;
    const dv = pv - v;
    const distance = Math.sqrt(quu * du * du + qvv * dv * dv);
    if (distance > 1.6) return 0;
    const grain = texture.at(pu, pv);
    const ragged = distance + 0.55 * (texture.at(0.5 * pv, 0.5 * pu) - 0.5);
    return strength * smoothstep(1.25, 0.1, ragged) * mix(0.65, 1, grain);
  });
}

/** Bronchi that still hold air stand out black within the white. */
function drawAirBronchogram(scene: Scene, side: Side, centre: Point3, size: number, random: Random): void {
  const [hx, hy, hz] = hilum(scene.anatomy, side);
  const towards: Point3 = [centre[0] - hx, centre[1] - hy, centre[2] - hz];
  for (let k = 0; k < 4; k++) {
    const spread = 0.5 * (k - 1.5) + random.uniform(-0.2, 0.2);
    const end: TubePoint3 = [
      centre[0] + 0.3 * towards[0] - spread * size * 0.25 * Math.sign(towards[1]),
      centre[1] + 0.3 * towards[1] + spread * size * 0.5,
      centre[2],
      0.1,
    ];
    const start: TubePoint3 = [
      mix(hx, centre[0], 0.45),
      mix(hy, centre[1], 0.45),
      mix(hz, centre[2], 0.45),
      0.26,
    ];
    scene.tube([start, end], 1.4 * AIR_EXCESS);
  }
}

/** Hampton's hump: a rounded wedge with its base on the pleura, pointing at the hilum, vessels thinned above it. */
export const infarction: PlanFinding = (random, context) => {
  const side = chooseSide(random, context);
  const size = random.uniform(2.6, 4.2);
  const low = random.uniform(0, 1);
  const both = random.chance(0.2);
  return {
    adapt(anatomy) {
      anatomy.hila.scale *= 1.15;
      anatomy.vessels.peripheral *= 0.75;
    },
    draw(scene) {
      const sides: Side[] = both ? [-1, 1] : [side];
      for (const one of sides) {
        const lung = scene.lung(one);
        const y = mix(lung.dome.top + 2, lung.dome.top - 3.5, low);
        const row = lung.row(y);
        const centre: Point3 = [one * (row.lateral + 0.1 * size), y, row.middleZ - 2];
        const turn = one * mix(0.35, 0.05, low);
        scene.fillEllipsoid(one, { centre, axes: [1.05 * size, 0.85 * size, 4], turn }, 1, 0.95);
      }
    },
  };
};

/** Old granulomas, calcified hilar nodes and plaques: small, round or mulberry-like, and denser than rib. */
export const calcifiedDensities: PlanFinding = (random, context) => ({
  draw(scene) {
    const count = 5 + random.int(6);
    for (let k = 0; k < count; k++) {
      const side = chooseSide(random, context);
      const radius = random.uniform(0.34, 0.65);
      const nodal = random.chance(0.35);
      const [hx, hy, hz] = hilum(scene.anatomy, side);
      const centre: Point3 = nodal
        ? [hx + side * random.uniform(0, 1.2), hy + random.uniform(-1.6, 1.8), hz]
        : pointInLung(scene, side, random, { from: 0.05, to: 0.75, margin: 0.5 });
      const lumps = nodal ? 3 : 1;
      for (let lump = 0; lump < lumps; lump++) {
        const shifted: Point3 = [
          centre[0] + 0.35 * random.normal() * (lumps - 1) * 0.5,
          centre[1] + 0.35 * random.normal() * (lumps - 1) * 0.5,
          centre[2],
        ];
        scene.solid({ centre: shifted, axes: [radius, 0.85 * radius, radius] }, 1.3 * CALCIUM_EXCESS);
      }
    }
  },
});

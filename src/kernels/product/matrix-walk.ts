import type { TileOperand } from './tile-operand.js';

/**
 * A lane's way through an operand (`Walk` of tile-operand.ts): where k is, as an odometer of three digits in pixels with the
 * offset that they come to. It is moved on by additions alone: products and quotients cost a GPU as much as many of the
 * multiplications that a kernel is there for.
 *
 * The WGSL of an operand named `left` declares
 *
 *     alias LeftSpot = …                                    // an outer
 *     fn leftSpotOf(outer: u32) -> LeftSpot
 *     fn leftWay() -> Way                                   // how its odometer turns
 *     fn leftStart(k: u32, way: Way) -> vec4u               // three digits and an offset
 *     fn leftNext(at: vec4u, by: vec4u, way: Way) -> vec4u
 *     fn leftPlace(outer: LeftSpot, at: vec4u, way: Way) -> u32   // index of an element; MISSING and above: there is none
 */
export function walkCode({ name, walk }: Pick<TileOperand, 'name' | 'walk'>): string {
  const { spot, outer, digits, base, matrix } = walk;
  const [first, second, third] = digits;
  const last = third ? 'z' : 'x';
  const Spot = name === 'left' ? 'LeftSpot' : 'RightSpot';
  const unit = (digit = first) => digit?.unit ?? '1u';
  const stride = (digit = first) => digit?.stride ?? '0u';
  const count = (digit = first) => digit?.count ?? '0u';
  const axis = (wanted: 'x' | 'y') =>
    `at.${'xyz'[digits.findIndex((digit) => digit.axis === wanted)] ?? 'x'}`;
  const way =
    second && third
      ? `
  let counts = vec2u(${count(first)}, ${count(second)});
  let units = vec3u(${unit(first)}, ${unit(second)}, ${unit(third)});
  let strides = vec3u(${stride(first)}, ${stride(second)}, ${stride(third)});
  return Way(counts, units, counts * units.xy, strides, strides.yz - counts * strides.xy, ${count(third)} * units.z);`
      : `
  return Way(vec2u(), vec3u(1u), vec2u(), vec3u(${stride(first)}, 0u, 0u), vec2u(), ${count(first)});`;
  const start = third
    ? `
  let z = k / way.counts.x;
  let x = k - z * way.counts.x;
  let w = z / way.counts.y;
  let y = z - w * way.counts.y;
  return vec4u(vec3u(x, y, w) * way.units, dot(vec3u(x, y, w), way.strides) + ${base});`
    : matrix === undefined
      ? `
  return vec4u(k, 0u, 0u, k * way.strides.x + ${base});`
      : `
  let number = k / part.share;
  let own = k - number * part.share;
  return vec4u(own, 0u, 0u, number * ${matrix} + own * way.strides.x + ${base});`;
  return `
${
  spot === undefined
    ? `alias ${Spot} = u32;
fn ${name}SpotOf(outer: u32) -> u32 { return select(MISSING, ${outer?.offset}, ${outer?.exists}); }
fn ${name}Place(outer: u32, at: vec4u, way: Way) -> u32 {
  return (outer + at.w) | select(MISSING, 0u, at.${last} < way.end);
}`
    : `${spot}
alias ${Spot} = Spot;
fn ${name}SpotOf(outer: u32) -> Spot { return ${name}Spot(outer); }
fn ${name}Place(outer: Spot, at: vec4u, way: Way) -> u32 {
  let inside = u32(outer.y + i32(${axis('y')})) < dims.h && u32(outer.x + i32(${axis('x')})) < dims.w;
  return select(MISSING, u32(outer.offset) + at.w, inside && at.${last} < way.end);
}`
}
fn ${name}Way() -> Way {${way}
}
fn ${name}Start(k: u32, way: Way) -> vec4u {${start}
}
fn ${name}Next(at: vec4u, by: vec4u, way: Way) -> vec4u { return ${third ? 'turned(at + by, way)' : 'at + by'}; }`;
}

/** Both operands' code needs these. */
export const WALK = `
/** Of an element that does not exist: no operand has as many. */
const MISSING = 0x80000000u;
/** counts, units: of digits; limits: of digits in units; strides: offsets; wraps: offset when a digit begins anew. */
struct Way { counts: vec2u, units: vec3u, limits: vec2u, strides: vec3u, wraps: vec2u, end: u32 }
/** The carries of an odometer whose digits were added to, each by less than its limit. */
fn turned(sum: vec4u, way: Way) -> vec4u {
  let x = sum.x >= way.limits.x;
  let carried = vec4u(sum.x - select(0u, way.limits.x, x), sum.y + select(0u, way.units.y, x), sum.z, sum.w + select(0u, way.wraps.x, x));
  let y = carried.y >= way.limits.y;
  return vec4u(carried.x, carried.y - select(0u, way.limits.y, y), carried.z + select(0u, way.units.z, y), carried.w + select(0u, way.wraps.y, y));
}`;

/** WGSL `workgroupSum(lane, partial)`: the sum over a workgroup's lanes, for all of them, in the same order every time. */
export function workgroupSum(lanes: number): string {
  return `var<workgroup> lanePartials: array<f32, ${lanes}>;
fn workgroupSum(lane: u32, partial: f32) -> f32 {
  workgroupBarrier();
  lanePartials[lane] = partial;
  for (var half = ${lanes / 2}u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { lanePartials[lane] += lanePartials[lane + half]; }
  }
  workgroupBarrier();
  return lanePartials[0];
}
`;
}

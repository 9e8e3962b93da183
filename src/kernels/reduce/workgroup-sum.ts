/** WGSL `workgroupSum(lane, share)`: the sum over a workgroup's lanes, for all of them, in the same order every time. */
export function workgroupSum(lanes: number): string {
  return `var<workgroup> laneShares: array<f32, ${lanes}>;
fn workgroupSum(lane: u32, share: f32) -> f32 {
  workgroupBarrier();
  laneShares[lane] = share;
  for (var half = ${lanes / 2}u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { laneShares[lane] += laneShares[lane + half]; }
  }
  workgroupBarrier();
  return laneShares[0];
}
`;
}

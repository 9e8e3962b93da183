import type { Device } from './device.js';
import { at, type KernelStep } from './graph/tensor.js';
import { bindStep } from './run/bindings.js';
import { recordCommands } from './run/commands.js';

/**
 * How many workgroups compute at the same time, counted by themselves: each of a kernel's workgroups adds itself to a
 * count, looks at the count for a while, notes the most that it saw and takes itself off again. None waits for another and
 * the while is bounded, so the kernel ends on every device, whatever it runs at once.
 */

/** The workgroup that is meant by `DeviceTraits.residentGroups`. */
const LANES = 256;
const ROOM_BYTES = 16384;

/** Looks at the count: hundreds of microseconds, in which a GPU starts all workgroups that it has room for. */
const LOOKS = 1024;
/** Grids that are tried, until there are at least twice as many workgroups as compute at once. */
const GRIDS = [64, 512, 4096, 32768];
/** Measurements, of which the largest counts: other work takes room, and nothing makes any. */
const TRIES = 3;

const STEP = {
  kind: 'dispatch',
  workgroups: [1, 1, 1],
  bindings: [
    { name: 'counts', operand: { kind: 'output', index: 0 }, access: 'read_write', type: 'atomic<u32>' },
  ],
  // The memory is used at a place that cannot be foreseen, or a compiler would leave it out; WebGPU fills it with zeros.
  code: `var<workgroup> room: array<u32, ${ROOM_BYTES / 4}>;
@compute @workgroup_size(${LANES}) fn main(@builtin(local_invocation_index) lane: u32) {
  if (lane == 0u) {
    var most = atomicAdd(&counts[0], 1u) + 1u;
    for (var look = 0u; look < ${LOOKS}u; look++) { most = max(most, atomicAdd(&counts[0], 0u)); }
    room[most % ${LANES}u * ${ROOM_BYTES / 4 / LANES}u] = most;
  }
  workgroupBarrier();
  let found = room[lane * ${ROOM_BYTES / 4 / LANES}u];
  if (found > 0u) {
    atomicMax(&counts[1], found);
    atomicSub(&counts[0], 1u);
  }
}`,
} as const satisfies KernelStep;

/** @throws errors that the device reports */
export async function measureResidentGroups(device: Device): Promise<number> {
  const counts = await device.createBuffer('counts of workgroups', 16);
  try {
    let most = 1;
    for (const grid of GRIDS) {
      if (grid > device.traits.maxWorkgroups) break;
      for (let run = 0; run < TRIES; run++) most = Math.max(most, await residentOf(device, grid, counts));
      if (2 * most <= grid) break;
    }
    return most;
  } finally {
    counts.destroy();
  }
}

async function residentOf(device: Device, grid: number, counts: GPUBuffer): Promise<number> {
  device.write(counts, 0, new Uint32Array(4));
  const step = { ...STEP, workgroups: [grid, 1, 1] } as const;
  const command = await bindStep(device, 'workgroups at once', step, [{ buffer: counts }]);
  const encoder = device.gpu.createCommandEncoder();
  recordCommands(encoder, [{ command }]);
  device.gpu.queue.submit([encoder.finish()]);
  return at([...new Uint32Array(await device.read(counts, 0, 8))], 1);
}

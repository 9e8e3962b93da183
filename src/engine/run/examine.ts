import type { Device } from '../device.js';
import { at, elementBytes, elementCount, type Node, type Tensor } from '../graph/tensor.js';
import type { Plan } from '../plan/plan.js';
import { bindStep } from './bindings.js';
import type { Built, Place } from './build.js';
import { recordCommands, recordDispatch } from './commands.js';
import { DimsBuffer } from './dims-buffer.js';

/**
 * Which tensor of a run is the first that holds values that are not finite. Intermediates share memory, so each op's
 * operands are counted right before it runs and its outputs right after, by a small kernel of their own in a submit between.
 */
export interface Unsound {
  readonly tensor: Pick<Tensor, 'shape' | 'dtype'>;
  readonly place: UnsoundPlace;
  readonly nan: number;
  readonly infinite: number;
  /** Index of the first of them in the tensor, row-major. */
  readonly first: number;
}

export type UnsoundPlace =
  /** Fed by the host. */
  | { readonly kind: 'input'; readonly name: string }
  /** Held before the op that read it. */
  | { readonly kind: 'variable'; readonly arena: string; readonly name: string }
  /** Came out of an op, or was written by it in place into a variable. `label` is the path of scopes of the trace. */
  | {
      readonly kind: 'op';
      readonly label: string;
      readonly op: string;
      /** Names of the variables among its operands. */
      readonly reads: readonly string[];
      readonly variable?: { readonly arena: string; readonly name: string };
    };

export interface ExamineOptions {
  /** Inputs in which NaN stands for something: it counts neither there nor in values that are computed from inputs alone. */
  readonly unknowns?: readonly string[] | undefined;
}

/** A tensor to be counted at a moment of the run. */
interface Check {
  readonly tensor: Tensor;
  readonly place: UnsoundPlace;
  readonly nanIsSound: boolean;
}

/** Counts of a check: NaN, infinite, and how far the first of them is from the end (0: there is none). */
const COUNTS = 3;
const LANES = 64;
const MOST_WORKGROUPS = 1024;

/**
 * Runs the program once, its inputs fed before.
 * @returns the first unsound tensor; null where all are finite
 */
export async function examine(
  device: Device,
  { plan, built }: { readonly plan: Plan; readonly built: Built },
  options: ExamineOptions = {},
): Promise<Unsound | null> {
  const moments = checksOf(plan, options);
  const checks = moments.flatMap(({ before, after }) => [...before, ...after]);
  const counts = await device.createBuffer('counts of an examination', checks.length * COUNTS * 4);
  const counted = checks.flatMap(({ tensor }) => built.pieces(tensor));
  const dims = await DimsBuffer.create(device, DimsBuffer.bytesFor(counted.map(() => COUNTING)));
  try {
    const pending: ((encoder: GPUCommandEncoder) => void)[] = [];
    let slot = 0;
    const count = async (wanted: readonly Check[]) => {
      for (const { tensor } of wanted) {
        let behind = elementCount(tensor.shape);
        for (const place of built.pieces(tensor)) {
          behind -= place.bytes / elementBytes(tensor.dtype);
          const command = await countCommand(device, { tensor, place, behind, slot, counts, dims });
          pending.push((encoder) => {
            const pass = encoder.beginComputePass();
            recordDispatch(pass, command);
            pass.end();
          });
        }
        slot++;
      }
    };
    for (const [row, { before, after }] of moments.entries()) {
      await count(before);
      const commands = built.commands.filter((command) => command.row === row);
      pending.push((encoder) => recordCommands(encoder, commands));
      await count(after);
    }
    dims.upload();
    // a submit each: no watchdog of a GPU waits long for one
    for (const record of pending) {
      const encoder = device.gpu.createCommandEncoder();
      record(encoder);
      device.gpu.queue.submit([encoder.finish()]);
    }
    return firstUnsound(checks, new Uint32Array(await device.read(counts, 0, checks.length * COUNTS * 4)));
  } finally {
    counts.destroy();
    dims.buffer.destroy();
  }
}

function firstUnsound(checks: readonly Check[], counts: Uint32Array): Unsound | null {
  for (const [i, { tensor, place, nanIsSound }] of checks.entries()) {
    const [nan = 0, infinite = 0, fromEnd = 0] = counts.subarray(i * COUNTS, (i + 1) * COUNTS);
    if (infinite === 0 && (nan === 0 || nanIsSound)) continue;
    const { shape, dtype } = tensor;
    return { tensor: { shape, dtype }, place, nan, infinite, first: elementCount(shape) - fromEnd };
  }
  return null;
}

/** What is to be counted around each action of a plan: what it reads that no op of the run has written, what it writes. */
function checksOf(
  plan: Plan,
  { unknowns = [] }: ExamineOptions,
): { readonly before: Check[]; readonly after: Check[] }[] {
  const seen = new Set<string>();
  /** Tensors that only inputs decide, some of which have unknowns. */
  const prepared = new Set<Tensor>();
  const isPrepared = (shown: Tensor): boolean => {
    const tensor = plan.root(shown);
    const { source } = tensor;
    return source.kind === 'input' ? unknowns.includes(source.name) : prepared.has(tensor);
  };
  const fromInputs = (shown: Tensor): boolean => {
    const tensor = plan.root(shown);
    const { kind } = tensor.source;
    return kind === 'op' ? prepared.has(tensor) : kind !== 'variable';
  };
  const reading = (shown: Tensor): Check[] => {
    const tensor = plan.root(shown);
    const { source } = tensor;
    if (tensor.dtype === 'u32' || source.kind === 'op' || source.kind === 'constant') return [];
    const key = source.kind === 'input' ? source.name : `${source.arena}/${source.name}`;
    if (seen.has(key)) return [];
    seen.add(key);
    return [{ tensor, place: source, nanIsSound: isPrepared(tensor) }];
  };
  return plan.actions.map((action) => {
    if (action.kind === 'copy') {
      const before = reading(action.from);
      if (action.to.source.kind === 'variable')
        seen.add(`${action.to.source.arena}/${action.to.source.name}`);
      return { before, after: [] };
    }
    const { node } = action.chosen;
    if (node.inputs.some(isPrepared) && node.inputs.every(fromInputs)) {
      for (const output of node.outputs) prepared.add(output);
    }
    return { before: node.inputs.flatMap(reading), after: writing(plan, node, prepared) };
  });
}

function writing(plan: Pick<Plan, 'root'>, node: Node, prepared: ReadonlySet<Tensor>): Check[] {
  const { op, label, inputs, outputs } = node;
  const reads = inputs
    .map((tensor) => plan.root(tensor).source)
    .flatMap((source) => (source.kind === 'variable' ? [source.name] : []));
  const place = { kind: 'op', label, op: op.name, reads: [...new Set(reads)] } as const;
  const own = outputs.map((tensor) => ({ tensor, place, nanIsSound: prepared.has(tensor) }));
  const changed = (op.mutates ?? []).flatMap((i): Check[] => {
    const tensor = at(inputs, i);
    const { source } = tensor;
    return source.kind === 'variable'
      ? [{ tensor, place: { ...place, variable: source }, nanIsSound: false }]
      : [];
  });
  return [...own, ...changed].filter(({ tensor }) => tensor.dtype !== 'u32');
}

/** WGSL lets a compiler assume that no NaN exists, so bits are compared: all of the exponent's are set. */
const COUNT_CODE = `@compute @workgroup_size(${LANES})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  var nan = 0u;
  var infinite = 0u;
  var fromEnd = 0u;
  for (var i = id.x; i < dims.elements; i += groups.x * ${LANES}u) {
    var bits = values[i / dims.perWord];
    if (dims.perWord == 2u) { bits = (bits >> (16u * (i & 1u))) & 0xffffu; }
    if ((bits & dims.exponent) != dims.exponent) { continue; }
    if ((bits & dims.mantissa) != 0u) { nan++; } else { infinite++; }
    fromEnd = max(fromEnd, dims.behind + dims.elements - i);
  }
  if (fromEnd == 0u) { return; }
  atomicAdd(&counts[dims.at], nan);
  atomicAdd(&counts[dims.at + 1u], infinite);
  atomicMax(&counts[dims.at + 2u], fromEnd);
}`;

/** A kernel of this one step, for its size among `dims`. */
const COUNTING = {
  scratch: [],
  steps: [
    {
      kind: 'dispatch',
      code: COUNT_CODE,
      bindings: [
        { name: 'values', operand: { kind: 'input', index: 0 }, access: 'read', type: 'u32' },
        { name: 'counts', operand: { kind: 'output', index: 0 }, access: 'read_write', type: 'atomic<u32>' },
      ],
      workgroups: [1, 1, 1],
      dims: { elements: 0, behind: 0, at: 0, perWord: 0, exponent: 0, mantissa: 0 },
    },
  ],
} as const;

/** Counts a piece of a tensor, or all of it. @param behind elements of the tensor behind the piece */
async function countCommand(
  device: Device,
  {
    tensor,
    place: { buffer, offset, bytes },
    behind,
    slot,
    counts,
    dims,
  }: { tensor: Tensor; place: Place; behind: number; slot: number; counts: GPUBuffer; dims: DimsBuffer },
) {
  const elements = bytes / elementBytes(tensor.dtype);
  const half = elementBytes(tensor.dtype) === 2;
  const sizes = {
    elements,
    behind,
    at: slot * COUNTS,
    perWord: half ? 2 : 1,
    exponent: half ? 0x7c00 : 0x7f800000,
    mantissa: half ? 0x3ff : 0x7fffff,
  };
  const size = Math.ceil(bytes / 16) * 16;
  const groups = Math.min(MOST_WORKGROUPS, Math.ceil(elements / LANES));
  const command = await bindStep(
    device,
    'examination',
    { ...COUNTING.steps[0], workgroups: [groups, 1, 1], dims: sizes },
    [{ buffer, offset, size }, { buffer: counts }, dims.add(sizes)],
  );
  if (command.kind !== 'dispatch') throw new RangeError('a counting kernel is a dispatch');
  return command;
}

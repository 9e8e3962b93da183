import { at, type Kernel, type KernelStep, type Operand, type Part, type Scratch } from '../graph/tensor.js';

/** Where an operand of a kernel that is part of another lies. */
export interface Placed {
  readonly operand: Operand;
  /** It is not bound there, but copied. */
  readonly copied?: boolean;
}

/** Kernels one after another as one. */
export class Assembly implements Kernel {
  readonly scratch: Scratch[] = [];
  readonly steps: KernelStep[] = [];
  /** How much of the scratch the kernels before have brought for themselves: others may have it afterwards. */
  #kept = 0;

  /** Memory that nothing else uses. */
  add(need: Scratch): number {
    this.#kept++;
    return this.scratch.push(need) - 1;
  }

  append(kernel: Kernel, places: Readonly<Record<'input' | 'output', readonly Placed[]>>): void {
    const taken = new Set<number>();
    const own = kernel.scratch.map((need) => this.#share(need, taken));
    const before: KernelStep[] = [];
    const after: KernelStep[] = [];
    const copies = new Map<Operand, Operand>();
    const bound = ({ operand, copied }: Placed, kind: 'input' | 'output'): Operand => {
      if (!copied || !operand.part) return operand;
      const known = copies.get(operand);
      if (known) return known;
      const { bytes } = operand.part;
      const copy = {
        kind: 'scratch',
        index: this.#share({ kind: 'buffer', bytes }, taken),
        part: whole(bytes),
      } as const;
      copies.set(operand, copy);
      if (kind === 'input') before.push({ kind: 'copy', from: operand, to: copy });
      else after.push({ kind: 'copy', from: copy, to: operand });
      return copy;
    };
    const moved = (operand: Operand): Operand => {
      const { kind, index, part } = operand;
      const base: Operand =
        kind === 'scratch'
          ? { kind, index: at(own, index), ...sized(at(kernel.scratch, index)) }
          : bound(at(places[kind], index), kind);
      return part ? { ...base, part: within(base.part, part) } : base;
    };
    const steps = kernel.steps.map((step): KernelStep => {
      if (step.kind === 'texture-copy') return { ...step, from: moved(step.from), to: at(own, step.to) };
      if (step.kind === 'copy') return { ...step, from: moved(step.from), to: moved(step.to) };
      const bindings = step.bindings.map((binding) => ({ ...binding, operand: moved(binding.operand) }));
      return { ...step, bindings };
    });
    this.steps.push(...before, ...steps, ...after);
  }

  /** Memory for one kernel, which a kernel before may have used. @param taken by this kernel already */
  #share(need: Scratch, taken: Set<number>): number {
    const { scratch } = this;
    let index = scratch.findIndex(
      (known, i) => i >= this.#kept && !taken.has(i) && larger(known, need) !== undefined,
    );
    if (index < 0) index = scratch.push(need) - 1;
    scratch[index] = larger(at(scratch, index), need) ?? need;
    taken.add(index);
    return index;
  }
}

/** What serves both needs, one after the other; undefined where nothing does. */
function larger(a: Scratch, b: Scratch): Scratch | undefined {
  if (a.kind === 'buffer') return b.kind !== 'buffer' ? undefined : b.bytes > a.bytes ? b : a;
  if (b.kind === 'buffer' || a.width !== b.width || a.format !== b.format) return undefined;
  return b.height > a.height ? b : a;
}

/** The part of shared scratch that a kernel has asked for. */
function sized(need: Scratch): { readonly part?: Part } {
  return need.kind === 'buffer' ? { part: whole(need.bytes) } : {};
}

function whole(bytes: number): Part {
  return { offset: 0, bytes };
}

function within(outer: Part | undefined, { offset, bytes }: Part): Part {
  return { offset: (outer?.offset ?? 0) + offset, bytes };
}

import type { PlanRow } from './build.js';
import type { OpTime } from './profile.js';

/** Ops that do the same, summed up: equal layers, as a rule. */
export interface OpGroup extends PlanRow {
  readonly count: number;
  /** Absent where nothing was timed. */
  readonly ms: number | undefined;
}

/** Several ops as one row, under the first one's names. */
export function sumUp(ops: readonly (PlanRow | OpTime)[]): OpGroup {
  const [first] = ops;
  if (first === undefined) throw new RangeError('a group has an op at least');
  const sum = (value: (op: PlanRow | OpTime) => number) => ops.reduce((all, op) => all + value(op), 0);
  return {
    ...first,
    count: ops.length,
    dispatches: sum((op) => op.dispatches),
    flops: sum((op) => op.flops),
    bytes: sum((op) => op.bytes),
    ms: 'ms' in first ? sum((op) => ('ms' in op ? op.ms : 0)) : undefined,
  };
}

/** Equal ops as one row each, in the order of their first. */
export function alike(ops: readonly (PlanRow | OpTime)[]): OpGroup[] {
  const groups = new Map<string, (PlanRow | OpTime)[]>();
  for (const op of ops) {
    const key = [op.op, op.shape, op.variant, op.flops].join('|');
    groups.set(key, [...(groups.get(key) ?? []), op]);
  }
  return Array.from(groups.values(), sumUp);
}

/** The part of the cost that the shown rows leave to the rest, and the most rows. */
const LEFT_OVER = 0.04;
const MOST_ROWS = 40;

/** The first groups of a list sorted by cost, until little is left. */
export function worthShowing(groups: readonly OpGroup[], cost: (group: OpGroup) => number): OpGroup[] {
  const total = groups.reduce((sum, group) => sum + cost(group), 0);
  let left = total;
  const shown: OpGroup[] = [];
  for (const group of groups) {
    if (shown.length === MOST_ROWS || left <= LEFT_OVER * total) break;
    shown.push(group);
    left -= cost(group);
  }
  return shown;
}

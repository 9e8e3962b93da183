import { quote } from '../../models/safetensors/safetensors-header.js';
import type { PickleDict, PickleValue, TorchTensor } from './pickle-values.js';
import { TorchFileError } from './torch-file-error.js';
import { isKind, kindOf } from './torch-globals.js';

/**
 * Where training scripts keep the network's tensors, in the order of preference. The averaged weights come last: a
 * program that keeps both calls the others by the first names.
 */
export const STATE_KEYS = [
  'state_dict',
  'model_state_dict',
  'model',
  'module',
  'state_dict_ema',
  'model_ema',
  'ema',
] as const;

const MAX_DEPTH = 4;
const MAX_NAMED = 8;

export interface StateDict {
  readonly tensors: ReadonlyMap<string, TorchTensor>;
  /** What was taken of the file and what was left, a sentence each. */
  readonly notes: readonly string[];
}

/**
 * The tensors of a file: those of the file's own dictionary, if it has any; else those of the first of `STATE_KEYS` in it
 * that leads to any, by the same rule.
 * @throws TorchFileError 'refused' where there are none
 */
export function stateDictOf(root: PickleValue): StateDict {
  const found = isKind(root, 'dict') ? find(root, [], new Set()) : undefined;
  if (!found) throw noTensors(root);
  const { dict, path, left } = found;
  const tensors = new Map<string, TorchTensor>();
  const others: string[] = [];
  for (const [name, value] of dict.entries) {
    if (typeof name === 'string' && isKind(value, 'tensor')) tensors.set(name, value);
    else others.push(String(name));
  }
  const notes: string[] = [];
  if (path.length > 0) {
    const not = left.length > 0 ? `, not ${left.map((keys) => keys.join('.')).join(' or ')}` : '';
    notes.push(`the tensors are those of ${path.join('.')} in the file${not}.`);
  }
  if (others.length > 0) notes.push(`entries that are no tensors are left out: ${list(others)}.`);
  return { tensors, notes };
}

interface Found {
  readonly dict: PickleDict;
  /** The keys that lead to it. */
  readonly path: readonly string[];
  /** The keys that lead to others. */
  readonly left: readonly (readonly string[])[];
}

/** @param seen dictionaries that were looked at: one may lead to itself */
function find(dict: PickleDict, path: readonly string[], seen: Set<PickleDict>): Found | undefined {
  if (seen.has(dict)) return undefined;
  seen.add(dict);
  if (holdsTensors(dict)) return { dict, path, left: [] };
  if (path.length === MAX_DEPTH) return undefined;
  const [first, ...others] = STATE_KEYS.flatMap((key) => {
    const inner = dict.entries.get(key);
    return (isKind(inner, 'dict') && find(inner, [...path, key], seen)) || [];
  });
  return first && { ...first, left: [...first.left, ...others.map((other) => other.path)] };
}

function holdsTensors(dict: PickleDict): boolean {
  for (const [name, value] of dict.entries) {
    if (typeof name === 'string' && isKind(value, 'tensor')) return true;
  }
  return false;
}

function noTensors(root: PickleValue): TorchFileError {
  const found = isKind(root, 'dict')
    ? `dictionary without tensors; its keys are ${list([...root.entries.keys()].map(String)) || 'none'}`
    : kindOf(root);
  return new TorchFileError(
    'refused',
    `it is a ${found}. Expected are tensors by their names, in the file itself or under ${STATE_KEYS.join(', ')}.`,
  );
}

function list(names: readonly string[]): string {
  const shown = names.slice(0, MAX_NAMED).map((name) => (/^[\w.-]{1,80}$/.test(name) ? name : quote(name)));
  return names.length > MAX_NAMED
    ? `${shown.join(', ')} and ${names.length - MAX_NAMED} more`
    : shown.join(', ');
}

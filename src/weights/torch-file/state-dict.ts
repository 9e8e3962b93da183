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
 * The tensors of a file: the file's own dictionary, if it has any tensor; else the first of `STATE_KEYS` in it that is a
 * dictionary, by the same rule.
 * @throws TorchFileError 'refused' where there are none
 */
export function stateDictOf(root: PickleValue): StateDict {
  let dict = root;
  const path: string[] = [];
  const notes: string[] = [];
  while (isKind(dict, 'dict') && !holdsTensors(dict)) {
    const places = STATE_KEYS.filter((key) => isStateDict(dict, key));
    const [key, ...others] = places;
    if (key === undefined || path.length === MAX_DEPTH) throw noTensors(dict, path);
    path.push(key);
    const left = others.length > 0 ? `, not ${others.join(' or ')}` : '';
    notes.push(`the tensors are those of ${path.join('.')} in the file${left}.`);
    dict = entry(dict, key) ?? null;
  }
  if (!isKind(dict, 'dict')) throw noTensors(dict, path);
  const tensors = new Map<string, TorchTensor>();
  const others: string[] = [];
  for (const [name, value] of dict.entries) {
    if (typeof name === 'string' && isKind(value, 'tensor')) tensors.set(name, value);
    else others.push(String(name));
  }
  if (others.length > 0) notes.push(`entries that are no tensors are left out: ${list(others)}.`);
  return { tensors, notes };
}

function entry(dict: PickleDict, key: string): PickleValue | undefined {
  return dict.entries.get(key);
}

function isStateDict(dict: PickleValue, key: string): boolean {
  return isKind(dict, 'dict') && isKind(entry(dict, key), 'dict');
}

function holdsTensors(dict: PickleDict): boolean {
  for (const [name, value] of dict.entries) {
    if (typeof name === 'string' && isKind(value, 'tensor')) return true;
  }
  return false;
}

function noTensors(value: PickleValue, path: readonly string[]): TorchFileError {
  const where = path.length === 0 ? 'it' : path.join('.');
  const found = isKind(value, 'dict')
    ? `a dictionary without tensors; its keys are ${list([...value.entries.keys()].map(String)) || 'none'}`
    : `a ${kindOf(value)}`;
  return new TorchFileError(
    'refused',
    `${where} is ${found}. Expected are tensors by their names, in the file itself or under ${STATE_KEYS.join(', ')}.`,
  );
}

function list(names: readonly string[]): string {
  const shown = names.slice(0, MAX_NAMED).map((name) => (/^[\w.-]{1,80}$/.test(name) ? name : quote(name)));
  return names.length > MAX_NAMED
    ? `${shown.join(', ')} and ${names.length - MAX_NAMED} more`
    : shown.join(', ');
}

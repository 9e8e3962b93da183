import type { SafetensorsDtype } from '../../models/safetensors/safetensors-dtypes.js';
import { quote } from '../../models/safetensors/safetensors-header.js';
import {
  PickleDict,
  type PickleValue,
  type TorchGlobal,
  type TorchStorage,
  type TorchTensor,
} from './pickle-values.js';
import { TorchFileError } from './torch-file-error.js';

/**
 * The only names of Python's that a file may use, and our own answer to each: nothing of Python's is looked up or
 * called. They are what torch.save writes of a state dict.
 */
const GLOBALS: ReadonlyMap<string, TorchGlobal> = new Map<string, TorchGlobal>([
  ['collections.OrderedDict', { kind: 'ordered dict' }],
  ['torch._utils._rebuild_tensor_v2', { kind: 'rebuild tensor' }],
  ['torch._utils._rebuild_parameter', { kind: 'rebuild parameter' }],
  ...storageTypes({
    FloatStorage: 'F32',
    DoubleStorage: 'F64',
    HalfStorage: 'F16',
    BFloat16Storage: 'BF16',
    LongStorage: 'I64',
    IntStorage: 'I32',
    ShortStorage: 'I16',
    CharStorage: 'I8',
    ByteStorage: 'U8',
    BoolStorage: 'BOOL',
  }),
]);

function storageTypes(names: Readonly<Record<string, SafetensorsDtype>>): [string, TorchGlobal][] {
  return Object.entries(names).map(([name, dtype]) => [`torch.${name}`, { kind: 'storage type', dtype }]);
}

const MAX_RANK = 64;

/** @throws TorchFileError 'refused' for any other name */
export function torchGlobal(module: string, name: string): TorchGlobal {
  const found = GLOBALS.get(`${module}.${name}`);
  if (found) return found;
  throw new TorchFileError(
    'refused',
    `it asks for ${quote(`${module}.${name}`)} of Python. Only tensors and plain data are read, and nothing of a file is ever ` +
      'run. Where the file is trusted, save its tensors alone: torch.save(model.state_dict(), "weights.pt").',
  );
}

/** What Python would get by calling a name. @throws TorchFileError */
export function callGlobal(callee: PickleValue, args: readonly PickleValue[]): PickleValue {
  switch (kindOf(callee)) {
    case 'ordered dict':
      if (args.length > 0) throw refused('an OrderedDict is made of something');
      return new PickleDict(true);
    case 'rebuild tensor':
      return rebuildTensor(args);
    case 'rebuild parameter': {
      const [tensor, , hooks] = args;
      if (args.length !== 3 || !isKind(tensor, 'tensor')) throw damaged('a parameter is made of no tensor');
      requireNothing(hooks);
      return tensor;
    }
    default:
      throw refused(`it calls a ${kindOf(callee)}`);
  }
}

/** A storage by the words that a pickle has for it: ("storage", type, key, device, elements). @throws TorchFileError */
export function storageOf(id: PickleValue): TorchStorage {
  const [word, type, key, device, count, ...rest] = isKind(id, 'tuple') ? id.items : [];
  if (word !== 'storage' || !isKind(type, 'storage type') || typeof device !== 'string' || rest.length > 0) {
    throw refused('it refers to something outside the pickle that is no storage of a readable type');
  }
  if (typeof key !== 'string' || !/^\d{1,10}$/.test(key)) {
    throw damaged(`a storage has the key ${quote(key)}, which is no number`);
  }
  if (!isSize(count)) throw damaged(`storage ${key} claims ${quote(String(count))} elements`);
  return { kind: 'storage', key, dtype: type.dtype, count };
}

/** (storage, offset, size, stride, requires_grad, hooks[, metadata]) */
function rebuildTensor(args: readonly PickleValue[]): TorchTensor {
  const [storage, offset, size, stride, grad, hooks, metadata] = args;
  if (args.length < 6 || args.length > 7 || !isKind(storage, 'storage') || typeof grad !== 'boolean') {
    throw damaged('a tensor is made of no storage');
  }
  requireNothing(hooks);
  // a conjugate or negated view keeps its elements unchanged, and has the rest here
  requireNothing(metadata ?? null);
  const shape = sizes(size);
  const strides = sizes(stride);
  const text = `a ${storage.dtype} tensor in storage ${storage.key}`;
  if (!isSize(offset) || !shape || !strides || shape.length !== strides.length) {
    throw damaged(`${text} has no proper offset, shape or strides`);
  }
  const tensor: TorchTensor = { kind: 'tensor', storage, offset, shape, strides };
  const end = endOf(tensor);
  if (!Number.isSafeInteger(elementCount(shape)) || end > storage.count) {
    throw damaged(
      `${text} of shape ${quote(shape)} with strides ${quote(strides)} from ${offset} on ends at element ${end}, the ` +
        `storage has ${storage.count}`,
    );
  }
  return tensor;
}

export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Behind the last element that a tensor has, counted from the start of its storage; 0 for one without elements. */
export function endOf({ offset, shape, strides }: TorchTensor): number {
  if (shape.includes(0)) return 0;
  return shape.reduce((end, size, axis) => end + (size - 1) * (strides[axis] ?? 0), offset + 1);
}

/** The kind of a value that has one, for choosing and for messages. */
export function kindOf(value: PickleValue | undefined): string {
  if (typeof value === 'object' && value !== null) return value.kind;
  return value === null ? 'None' : typeof value;
}

type Kinds = Extract<PickleValue, { readonly kind: string }>;

export function isKind<K extends Kinds['kind']>(
  value: PickleValue | undefined,
  kind: K,
): value is Extract<Kinds, { readonly kind: K }> {
  return typeof value === 'object' && value !== null && value.kind === kind;
}

function isSize(value: PickleValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function sizes(value: PickleValue | undefined): number[] | undefined {
  if (!isKind(value, 'tuple') || value.items.length > MAX_RANK) return undefined;
  const found = value.items.filter(isSize);
  return found.length === value.items.length ? found : undefined;
}

/** Hooks and flags of a tensor are code or change its values: a state dict has none. */
function requireNothing(value: PickleValue | undefined): void {
  if (value === null || (isKind(value, 'dict') && value.entries.size === 0)) return;
  throw refused('a tensor has hooks or flags (such as a conjugate or negated view)');
}

function damaged(reason: string): TorchFileError {
  return new TorchFileError('damaged', `its pickle contradicts itself: ${reason}.`);
}

function refused(reason: string): TorchFileError {
  return new TorchFileError(
    'refused',
    `${reason}; only tensors, dictionaries and plain data are read, and nothing of a file is ever run.`,
  );
}

import type { SafetensorsDtype } from '../../models/safetensors/safetensors-dtypes.js';

/** All that a pickle can make here: plain data, and descriptions of tensors. None of it has code. */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | PickleTuple
  | PickleList
  | PickleDict
  | TorchGlobal
  | TorchStorage
  | TorchTensor;

export interface PickleTuple {
  readonly kind: 'tuple';
  readonly items: readonly PickleValue[];
}

export interface PickleList {
  readonly kind: 'list';
  readonly items: PickleValue[];
}

export type PickleKey = string | number;

/** Python's dict or OrderedDict. Most are empty, as every tensor brings one of its hooks. */
export class PickleDict {
  readonly kind = 'dict';
  #entries: Map<PickleKey, PickleValue> | undefined;

  constructor(readonly ordered: boolean) {}

  get entries(): ReadonlyMap<PickleKey, PickleValue> {
    return this.#entries ?? NONE;
  }

  set(key: PickleKey, value: PickleValue): void {
    this.#entries ??= new Map();
    this.#entries.set(key, value);
  }
}

const NONE: ReadonlyMap<PickleKey, PickleValue> = new Map();

/** A name of Python's that a file may use; torch-globals.ts has all of them. */
export type TorchGlobal =
  | { readonly kind: 'ordered dict' }
  | { readonly kind: 'rebuild tensor' }
  | { readonly kind: 'rebuild parameter' }
  | { readonly kind: 'storage type'; readonly dtype: SafetensorsDtype };

/** A run of elements in an entry of the archive, which tensors are views of. */
export interface TorchStorage {
  readonly kind: 'storage';
  readonly key: string;
  readonly dtype: SafetensorsDtype;
  /** Elements, as the pickle claims. */
  readonly count: number;
}

/** A view of a storage; all its elements lie within the claimed storage. */
export interface TorchTensor {
  readonly kind: 'tensor';
  readonly storage: TorchStorage;
  /** Of the first element, and from one to the next along each axis: in elements. */
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

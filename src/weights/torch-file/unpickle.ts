import { PickleBytes } from './pickle-bytes.js';
import {
  PickleDict,
  type PickleKey,
  type PickleTuple,
  type PickleValue,
  type TorchStorage,
} from './pickle-values.js';
import { TorchFileError } from './torch-file-error.js';
import { callGlobal, isKind, kindOf, storageOf, torchGlobal } from './torch-globals.js';

/**
 * An interpreter for the part of Python's pickle language that torch.save writes of a state dict, protocols 2 to 5. A
 * pickle is a program for a machine with a stack and a memory. This machine has no instruction that reaches beyond
 * both: names stand for our own few answers (torch-globals.ts), and all else ends the reading.
 *
 * Each instruction makes at most one value, and none copies values in bulk, so memory is bounded by the number of
 * instructions. No step follows values into each other, so structures that contain themselves do no harm.
 */

/** A network of 20,000 tensors takes about this many. */
const MAX_INSTRUCTIONS = 1_000_000;
/** Python's pickler puts 1,000 entries of a dictionary on the stack at a time. */
const MAX_STACK = 20_000;
const MAX_MARKS = 100;

/** @throws TorchFileError for anything else than a whole pickle of plain data and tensors */
export function unpickle(bytes: Uint8Array): PickleValue {
  return new Machine(bytes).run();
}

class Machine {
  readonly #code: PickleBytes;
  readonly #stack: PickleValue[] = [];
  /** Heights of the stack where a collection began. */
  readonly #marks: number[] = [];
  readonly #memo: PickleValue[] = [];
  readonly #storages = new Map<string, TorchStorage>();

  constructor(bytes: Uint8Array) {
    this.#code = new PickleBytes(bytes);
  }

  run(): PickleValue {
    for (let count = 0; count < MAX_INSTRUCTIONS; count++) {
      const opcode = this.#code.byte();
      if (opcode === STOP) return this.#end();
      const instruction = INSTRUCTIONS.get(opcode);
      if (!instruction) throw this.#unknown(opcode);
      instruction(this, this.#code);
      if (this.#stack.length > MAX_STACK) this.fail(`more than ${MAX_STACK} values wait on its stack`);
    }
    return this.fail(`it goes on after ${MAX_INSTRUCTIONS} instructions`);
  }

  fail(reason: string): never {
    return this.#code.fail(reason);
  }

  push(value: PickleValue): void {
    this.#stack.push(value);
  }

  pop(): PickleValue {
    const value = this.#stack.pop();
    if (value === undefined || this.#stack.length < (this.#marks.at(-1) ?? 0)) {
      return this.fail('it takes a value that is not there');
    }
    return value;
  }

  top(): PickleValue {
    const value = this.pop();
    this.#stack.push(value);
    return value;
  }

  mark(): void {
    if (this.#marks.length >= MAX_MARKS) this.fail(`it nests more than ${MAX_MARKS} collections`);
    this.#marks.push(this.#stack.length);
  }

  popToMark(): PickleValue[] {
    const height = this.#marks.pop();
    if (height === undefined) return this.fail('it ends a collection that it did not begin');
    return this.#stack.splice(height);
  }

  pushTuple(length: number): void {
    const items = Array.from({ length }, () => this.pop()).reverse();
    this.push({ kind: 'tuple', items });
  }

  /** Places are counted by every pickler, so a place out of order is a lie about the memory needed. */
  remember(place: number): void {
    if (place > this.#memo.length) {
      this.fail(`it remembers a value in place ${place}, but ${this.#memo.length} are taken`);
    }
    this.#memo[place] = this.top();
  }

  rememberNext(): void {
    this.remember(this.#memo.length);
  }

  recall(place: number): void {
    const value = this.#memo[place];
    if (value === undefined) this.fail(`it recalls place ${place} of ${this.#memo.length}`);
    this.push(value);
  }

  setItems(pairs: readonly PickleValue[]): void {
    const dict = this.top();
    if (!isKind(dict, 'dict')) this.fail(`it puts entries into a ${kindOf(dict)}`);
    if (pairs.length % 2 !== 0) this.fail('a key of a dictionary has no value');
    for (let i = 0; i < pairs.length; i += 2) {
      const key = this.#key(pairs[i]);
      if (dict.entries.has(key))
        this.fail(`a dictionary has the key ${JSON.stringify(key).slice(0, 100)} twice`);
      dict.set(key, pairs[i + 1] ?? null);
    }
  }

  appendItems(items: readonly PickleValue[]): void {
    const list = this.top();
    if (!isKind(list, 'list')) this.fail(`it appends to a ${kindOf(list)}`);
    for (const item of items) list.items.push(item);
  }

  reduce(): void {
    const args = this.#tuple('arguments');
    this.push(callGlobal(this.pop(), args.items));
  }

  /** Attributes of an OrderedDict, as state dicts have of their modules' versions; nobody needs them. */
  build(): void {
    const state = this.pop();
    const target = this.top();
    if (!isKind(target, 'dict') || !target.ordered || !isKind(state, 'dict')) {
      throw new TorchFileError(
        'refused',
        `it sets the state of a ${kindOf(target)}; only tensors, dictionaries and plain data are read.`,
      );
    }
  }

  refer(): void {
    const storage = storageOf(this.pop());
    const known = this.#storages.get(storage.key);
    if (known && (known.dtype !== storage.dtype || known.count !== storage.count)) {
      this.fail(
        `storage ${storage.key} is ${known.count} × ${known.dtype} and ${storage.count} × ${storage.dtype}`,
      );
    }
    if (!known) this.#storages.set(storage.key, storage);
    this.push(known ?? storage);
  }

  stackGlobal(): void {
    const name = this.pop();
    const module = this.pop();
    if (typeof name !== 'string' || typeof module !== 'string') this.fail('a name is no text');
    this.push(torchGlobal(module, name));
  }

  #key(value: PickleValue | undefined): PickleKey {
    if (typeof value === 'string' || typeof value === 'number') return value;
    return this.fail(`a dictionary has a ${kindOf(value)} for a key`);
  }

  #tuple(what: string): PickleTuple {
    const value = this.pop();
    return isKind(value, 'tuple') ? value : this.fail(`${what} are a ${kindOf(value)}`);
  }

  #end(): PickleValue {
    const value = this.pop();
    if (this.#stack.length > 0 || this.#marks.length > 0) this.fail('it ends with values left over');
    if (this.#code.left > 0) this.fail(`${this.#code.left} bytes follow its end`);
    return value;
  }

  #unknown(opcode: number): TorchFileError {
    const at = this.#code.position - 1;
    return new TorchFileError(
      'refused',
      `its pickle has instruction 0x${opcode.toString(16).padStart(2, '0')} at byte ${at}, which state dicts of torch.save do ` +
        'not need: nothing but tensors, dictionaries and plain data is read. Where the file is trusted, save its tensors ' +
        'alone: torch.save(model.state_dict(), "weights.pt").',
    );
  }
}

const STOP = 0x2e;

type Instruction = (machine: Machine, code: PickleBytes) => void;

/** Python's names of the instructions, in pickle.py's order of purpose. */
const INSTRUCTIONS: ReadonlyMap<number, Instruction> = new Map<number, Instruction>([
  // PROTO, FRAME
  [
    0x80,
    (machine, code) => {
      const protocol = code.byte();
      if (protocol < 2 || protocol > 5) machine.fail(`it has protocol ${protocol}, known are 2 to 5`);
    },
  ],
  [
    0x95,
    (machine, code) => {
      const length = code.uint64();
      if (length > BigInt(code.left)) machine.fail(`a frame claims ${length} bytes, ${code.left} are left`);
    },
  ],
  // NONE, NEWTRUE, NEWFALSE
  [0x4e, (machine) => machine.push(null)],
  [0x88, (machine) => machine.push(true)],
  [0x89, (machine) => machine.push(false)],
  // BININT, BININT1, BININT2, LONG1, BINFLOAT
  [0x4a, (machine, code) => machine.push(code.int32())],
  [0x4b, (machine, code) => machine.push(code.byte())],
  [0x4d, (machine, code) => machine.push(code.uint16())],
  [0x8a, (machine, code) => machine.push(code.integer(code.byte()))],
  [0x47, (machine, code) => machine.push(code.float64())],
  // BINUNICODE, SHORT_BINUNICODE
  [0x58, (machine, code) => machine.push(code.text(code.uint32()))],
  [0x8c, (machine, code) => machine.push(code.text(code.byte()))],
  // EMPTY_LIST, APPEND, APPENDS
  [0x5d, (machine) => machine.push({ kind: 'list', items: [] })],
  [0x61, (machine) => machine.appendItems([machine.pop()])],
  [0x65, (machine) => machine.appendItems(machine.popToMark())],
  // EMPTY_TUPLE, TUPLE1, TUPLE2, TUPLE3, TUPLE
  [0x29, (machine) => machine.pushTuple(0)],
  [0x85, (machine) => machine.pushTuple(1)],
  [0x86, (machine) => machine.pushTuple(2)],
  [0x87, (machine) => machine.pushTuple(3)],
  [0x74, (machine) => machine.push({ kind: 'tuple', items: machine.popToMark() })],
  // EMPTY_DICT, SETITEM, SETITEMS
  [0x7d, (machine) => machine.push(new PickleDict(false))],
  [
    0x73,
    (machine) => {
      const value = machine.pop();
      machine.setItems([machine.pop(), value]);
    },
  ],
  [0x75, (machine) => machine.setItems(machine.popToMark())],
  // MARK, BINPUT, LONG_BINPUT, MEMOIZE, BINGET, LONG_BINGET
  [0x28, (machine) => machine.mark()],
  [0x71, (machine, code) => machine.remember(code.byte())],
  [0x72, (machine, code) => machine.remember(code.uint32())],
  [0x94, (machine) => machine.rememberNext()],
  [0x68, (machine, code) => machine.recall(code.byte())],
  [0x6a, (machine, code) => machine.recall(code.uint32())],
  // GLOBAL, STACK_GLOBAL, REDUCE, BUILD, BINPERSID
  [0x63, (machine, code) => machine.push(torchGlobal(code.line(), code.line()))],
  [0x93, (machine) => machine.stackGlobal()],
  [0x52, (machine) => machine.reduce()],
  [0x62, (machine) => machine.build()],
  [0x51, (machine) => machine.refer()],
]);

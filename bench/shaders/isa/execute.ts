import type { Instruction } from './assembly.js';
import { effectsOf } from './dataflow.js';
import { scalarAction } from './execute-scalar.js';
import { vectorAction } from './execute-vector.js';
import { registersOf } from './registers.js';
import type { Action, Address } from './wave-state.js';

/** From an instruction to what it does to a wave. Whatever of it is not known here leaves its results unknown. */

/** The memory whose contents are known: sizes given to the kernel, by number of their binding's descriptor. */
export interface KnownMemory {
  read(address: Address): number | undefined;
}

export function actionOf(instruction: Instruction, memory: KnownMemory): Action {
  const first = singleAction(instruction, memory);
  if (!instruction.paired) return first;
  const second = singleAction(instruction.paired, memory);
  return (wave) => {
    first(wave);
    second(wave);
  };
}

function singleAction(instruction: Instruction, memory: KnownMemory): Action {
  const { op } = instruction;
  if (/^s_(buffer_)?load_/.test(op)) return load(instruction, memory);
  if (op.startsWith('s_')) return scalarAction(instruction) ?? forget(instruction);
  if (op.startsWith('v_')) return vectorAction(instruction) ?? forget(instruction);
  return forget(instruction);
}

/** Leaves everything that the instruction writes unknown. */
function forget({ op, operands, modifiers }: Instruction): Action {
  const { writes } = effectsOf({ op, operands, modifiers });
  return (wave) => {
    for (const name of writes) {
      if (/^v\d/.test(name)) wave.setVector(name, undefined);
      else wave.setWord(name, undefined);
    }
  };
}

function load(
  { op, operands: [result = '', base = '', offset = ''], modifiers }: Instruction,
  memory: KnownMemory,
): Action {
  const names = registersOf(result);
  const more = Number(/offset:(0x[0-9a-f]+|\d+)/.exec(modifiers)?.[1] ?? 0);
  return (wave) => {
    const at = wave.address(base);
    const add = wave.word(offset);
    names.forEach((name, i) => {
      const address = at && add !== undefined ? { ...at, offset: at.offset + add + more + 4 * i } : undefined;
      const descriptor = address?.base === 'set' && !op.startsWith('s_buffer');
      wave.setWord(name, address && !descriptor ? memory.read(address) : undefined);
      if (descriptor && address) wave.setAddress(name, { base: address.offset, offset: 0 });
    });
  };
}

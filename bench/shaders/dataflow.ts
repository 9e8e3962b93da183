import { type Block, type Instruction, isBranch } from './assembly.js';
import { registersOf } from './registers.js';

/** What instructions read and write, and which of them decide where a wave goes. */
export interface Effects {
  readonly reads: readonly string[];
  readonly writes: readonly string[];
}

const EXEC = ['exec_lo', 'exec_hi'];
/** Nothing is written; all operands are read. */
const NO_RESULT =
  /^(s_cmp|s_bitcmp|s_nop|s_delay|s_wait|s_barrier|s_end|s_set|s_send|s_clause|s_branch|s_cbranch|s_inst|v_cmpx|v_nop|.*_store|ds_write|ds_store|exp)/;
const TWO_RESULTS = /^v_(add|sub|subrev)_co_|^v_mad_(co_)?[ui]64|^v_div_scale|^v_swap/;
const READS_RESULT = /^s_(addk|mulk|cmov|bitset)|^v_(fmac|dot2c|swap|writelane|pk_fmac|permlane)|_d16/;
const KEEPS_SCC =
  /^s_(mov|cmov|mul_|mulk|bfm|cselect|brev|sext|ff1|ctz|clz|flbit|pack|load|buffer_load|getreg|getpc|bitset|movrel|nop|delay|wait|barrier|end|set|send|clause|branch|cbranch|inst|movk|cls|wakeup|sleep)/;
const READS_SCC = /^s_(cselect|cmov|addc|subb|cbranch_scc)/;

export function effectsOf({ op, operands, paired }: Instruction): Effects {
  const results = NO_RESULT.test(op) ? 0 : TWO_RESULTS.test(op) ? 2 : 1;
  const names = (list: readonly string[]) => list.flatMap((operand) => registersOf(operand));
  const writes = names(operands.slice(0, results));
  const reads = names(operands.slice(READS_RESULT.test(op) ? 0 : results));
  if (op.startsWith('s_')) {
    if (!KEEPS_SCC.test(op)) writes.push('scc');
    if (READS_SCC.test(op)) reads.push('scc');
    if (op.includes('saveexec') || op.includes('wrexec')) {
      writes.push(...EXEC);
      reads.push(...EXEC);
    }
    if (op.startsWith('s_cbranch_vcc')) reads.push('vcc_lo', 'vcc_hi');
    if (op.startsWith('s_cbranch_exec')) reads.push(...EXEC);
  } else {
    reads.push(...EXEC);
    if (op.startsWith('v_cmpx')) writes.push(...EXEC);
  }
  if (!paired) return { reads, writes };
  const second = effectsOf(paired);
  return { reads: [...reads, ...second.reads], writes: [...writes, ...second.writes] };
}

/**
 * The instructions that a branch depends on, directly or through others: they alone have to be carried out to know how
 * often each block runs. Which of two writes of a register a read sees is not asked: both count.
 */
export function decidingInstructions(blocks: readonly Block[]): Set<Instruction> {
  const all = blocks.flatMap(({ instructions }) => instructions);
  const effects = new Map(all.map((instruction) => [instruction, effectsOf(instruction)] as const));
  const writers = new Map<string, Instruction[]>();
  for (const [instruction, { writes }] of effects) {
    for (const name of writes) {
      const list = writers.get(name);
      if (list) list.push(instruction);
      else writers.set(name, [instruction]);
    }
  }
  const deciding = new Set<Instruction>();
  const pending = all.filter(({ op }) => isBranch(op));
  const needed = new Set<string>();
  for (let instruction = pending.pop(); instruction; instruction = pending.pop()) {
    if (deciding.has(instruction)) continue;
    deciding.add(instruction);
    for (const name of effects.get(instruction)?.reads ?? []) {
      if (needed.has(name)) continue;
      needed.add(name);
      pending.push(...(writers.get(name) ?? []));
    }
  }
  return deciding;
}

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
 * often each block runs. Found from the end of the program backwards: which registers are still wanted.
 */
export function decidingInstructions(blocks: readonly Block[]): Set<Instruction> {
  const effects = new Map(
    blocks.flatMap(({ instructions }) => instructions.map((each) => [each, effectsOf(each)] as const)),
  );
  const deciding = new Set<Instruction>();
  const wantedAtStart = blocks.map(() => new Set<string>());
  let changed = true;
  while (changed) {
    changed = false;
    for (let i = blocks.length - 1; i >= 0; i--) {
      const { instructions, target } = blocks[i]!;
      const after = [
        ...(wantedAtStart[i + 1] ?? []),
        ...(target === undefined ? [] : wantedAtStart[target]!),
      ];
      const wanted = new Set(after);
      // vector registers that are written again before lanes are switched: what they held is of no use to anybody
      const stale = new Set<string>();
      for (const instruction of [...instructions].reverse()) {
        const { reads, writes } = effects.get(instruction)!;
        const needed =
          isBranch(instruction.op) || writes.some((name) => wanted.has(name) && !stale.has(name));
        if (writes.some((name) => name.startsWith('exec'))) stale.clear();
        if (!needed) continue;
        deciding.add(instruction);
        for (const name of writes) {
          if (isVector(name)) stale.add(name);
          else wanted.delete(name);
        }
        for (const name of reads) {
          wanted.add(name);
          stale.delete(name);
        }
      }
      const known = wantedAtStart[i]!;
      const size = known.size;
      for (const name of wanted) known.add(name);
      changed ||= known.size > size;
    }
  }
  return deciding;
}

function isVector(name: string): boolean {
  return /^v\d/.test(name);
}

/**
 * RADV's disassembly of RDNA machine code (LLVM's spelling) as basic blocks: stretches of instructions that are entered at
 * the top and left at the end.
 */
export interface Instruction {
  /** Without the suffixes that only name an encoding, e.g. `v_add_f32`. */
  readonly op: string;
  /** Results first, as written: `v[2:3]`, `s5`, `vcc_lo`, `0x20`. */
  readonly operands: readonly string[];
  /** What follows the operands: `offset:16`, `offen`. */
  readonly modifiers: string;
  /** The second half of a pair that issues together. */
  readonly paired?: Instruction;
}

export interface Block {
  readonly name: string;
  readonly instructions: readonly Instruction[];
  /** Number of the block that a branch at the end may go to. */
  readonly target: number | undefined;
}

export function parseAssembly(text: string): Block[] {
  const drafts: { name: string; instructions: Instruction[] }[] = [];
  let current: Instruction[] | undefined;
  for (const raw of text.split('\n')) {
    const line = raw.replace(/;.*/, '').trim();
    const label = /^(BB\d+):/.exec(line)?.[1];
    if (label !== undefined) {
      current = [];
      drafts.push({ name: label, instructions: current });
      continue;
    }
    const instruction = parseInstruction(line);
    if (!instruction) continue;
    if (!current) {
      current = [];
      drafts.push({ name: '', instructions: current });
    }
    current.push(instruction);
    // a branch ends a stretch even where no label follows
    if (isBranch(instruction.op)) current = undefined;
  }
  const numbers = new Map(drafts.flatMap(({ name }, i) => (name === '' ? [] : [[name, i] as const])));
  return drafts.map(({ name, instructions }) => {
    const last = instructions.at(-1);
    const target = last && isBranch(last.op) ? numbers.get(last.operands[0] ?? '') : undefined;
    return { name, instructions, target };
  });
}

export function isBranch(op: string): boolean {
  return op === 's_branch' || op.startsWith('s_cbranch_');
}

function parseInstruction(line: string): Instruction | undefined {
  const [first = '', second] = line.split(' :: ');
  const [, name = '', rest = ''] = /^([a-z]\w*_\w+)\s*(.*)$/.exec(first.trim()) ?? [];
  if (name === '') return undefined;
  const op = name.replace(/(_e32|_e64|_dpp|_e64_dpp|_sdwa)$/, '');
  const { operands, modifiers } = splitOperands(rest);
  const paired = second === undefined ? undefined : parseInstruction(second);
  return { op, operands, modifiers, ...(paired && { paired }) };
}

/** Operands stand between commas; after the last one, blanks and modifiers may follow. */
function splitOperands(text: string): { operands: string[]; modifiers: string } {
  const parts = text.split(/,\s*(?![^[(]*[\])])/).map((part) => part.trim());
  const last = parts.pop() ?? '';
  const [, operand = '', modifiers = ''] = /^(\S*)\s*(.*)$/.exec(last) ?? [];
  return { operands: [...parts, operand].filter((part) => part !== ''), modifiers };
}

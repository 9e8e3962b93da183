import type { Kernel, Modelled } from '../model.js';
import { parseAssembly } from './assembly.js';
import { costOfBlock } from './cost.js';

/** A kernel's machine code, with how often a wave runs each block and its cycles on the vector unit. */
export function listing({ compiled }: Kernel, { visits }: Pick<Modelled, 'visits'>): string[] {
  return parseAssembly(compiled.assembly).flatMap((block, i) => {
    const { vector, useful } = costOfBlock(block, compiled.waveLanes);
    const times = Number((visits[i] ?? 0).toFixed(2));
    const lines = block.instructions.map((each) => {
      const halves = each.paired ? [each, each.paired] : [each];
      return `    ${halves.map(({ op, operands, modifiers }) => `${op} ${operands.join(', ')} ${modifiers}`.trim()).join(' :: ')}`;
    });
    return [
      `${block.name || '  (goes on)'}: × ${times}, ${vector} vector cycles, ${useful} of them useful`,
      ...lines,
    ];
  });
}

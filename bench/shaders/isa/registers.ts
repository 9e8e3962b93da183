/** The names that instructions give to registers and constants. */

/** The registers that an operand covers, by name: `s[4:5]` is `s4`, `s5`; constants cover none. */
export function registersOf(operand: string): readonly string[] {
  const known = cache.get(operand);
  if (known) return known;
  const names = readNames(operand);
  cache.set(operand, names);
  return names;
}

const cache = new Map<string, readonly string[]>();

function readNames(operand: string): string[] {
  const name = operand.replace(/^-?\|?|\|$|\.[lh]$/g, '');
  const range = /^(s|v|ttmp)\[(\d+):(\d+)\]$/.exec(name);
  if (range) {
    const [, kind = '', from, to] = range;
    return Array.from({ length: Number(to) - Number(from) + 1 }, (_, i) => `${kind}${Number(from) + i}`);
  }
  if (name === 'vcc' || name === 'exec') return [`${name}_lo`, `${name}_hi`];
  if (name === 'src_scc') return ['scc'];
  return /^(s\d+|v\d+|ttmp\d+|vcc_lo|vcc_hi|exec_lo|exec_hi|scc|m0)$/.test(name) ? [name] : [];
}

/** The bits of a constant operand; undefined for anything else. */
export function constantOf(operand: string): number | undefined {
  if (/^-?\d+$/.test(operand) || /^0x[0-9a-f]+$/i.test(operand)) return Number(operand) >>> 0;
  if (/^-?\d+\.\d*(e[+-]?\d+)?$/i.test(operand)) return floatBits(Number(operand));
  return operand === 'null' ? 0 : undefined;
}

const bits = new DataView(new ArrayBuffer(4));

export function floatBits(value: number): number {
  bits.setFloat32(0, value);
  return bits.getUint32(0);
}

export function bitsFloat(word: number): number {
  bits.setUint32(0, word);
  return bits.getFloat32(0);
}

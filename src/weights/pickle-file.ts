import { extname } from 'node:path';

/**
 * Weights as PyTorch saves them are a pickle: a program that rebuilds objects, which whoever wrote the file chose. They
 * are recognised by content, never opened, and the person is told how to convert them.
 */

/** Endings that PyTorch's files usually have. */
const PICKLE_ENDINGS = new Set(['.pth', '.pt', '.bin', '.ckpt', '.pkl', '.tar']);

export function hasPickleEnding(name: string): boolean {
  return PICKLE_ENDINGS.has(extname(name).toLowerCase());
}

/**
 * Whether a file is a pickle, by its first bytes: the zip archive of `torch.save` since 1.6, whose first entries are
 * `…/data.pkl`; or a bare pickle of protocol 2 or later, as before.
 */
export function isPickle(bytes: Uint8Array): boolean {
  if (startsWith(bytes, [0x50, 0x4b, 0x03, 0x04])) {
    return new TextDecoder('latin1').decode(bytes.subarray(0, 4096)).includes('data.pkl');
  }
  const [mark, protocol] = bytes;
  return mark === 0x80 && protocol !== undefined && protocol >= 2 && protocol <= 5;
}

/** What to do instead, for a message. `path` is the file's; `before` a command that brings it to this machine. */
export function conversionAdvice(path: string, before?: string): string {
  const target = path.slice(0, path.length - extname(path).length);
  return (
    'A pickle is a program that runs when it is loaded, so tailray opens none. Convert it once, where Python has ' +
    'torch and safetensors (this reads tensors only):\n' +
    (before === undefined ? '' : `  ${before}\n`) +
    `  ${conversionCommand(path, `${target}.safetensors`)}`
  );
}

/** One line for a POSIX shell. Lightning and training scripts keep the tensors under a key, DDP puts `module.` before. */
export function conversionCommand(from: string, to: string): string {
  const program = [
    'import sys, torch',
    'from safetensors.torch import save_file',
    "s = torch.load(sys.argv[1], map_location='cpu', weights_only=True)",
    "s = s.get('state_dict', s.get('model', s))",
    "save_file({k.removeprefix('module.'): v.clone().contiguous() for k, v in s.items() if torch.is_tensor(v)}, sys.argv[2])",
  ].join('; ');
  return `python3 -c "${program}" ${quote(from)} ${quote(to)}`;
}

function quote(path: string): string {
  return /^[\w./:@%+=,-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}

function startsWith(bytes: Uint8Array, prefix: readonly number[]): boolean {
  return prefix.every((byte, i) => bytes[i] === byte);
}

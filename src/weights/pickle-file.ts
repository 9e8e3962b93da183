import { extname } from 'node:path';

/**
 * Before PyTorch 1.6, torch.save wrote several pickles behind each other and storages between them, not the zip archives
 * that torch-file/ reads. Such files, and pickles of other programs, are recognised by content, never opened, and the
 * person is told how to convert them.
 */

/** Whether a file is a bare pickle of protocol 2 or later, by its first bytes. */
export function isPickle(bytes: Uint8Array): boolean {
  const [mark, protocol] = bytes;
  return mark === 0x80 && protocol !== undefined && protocol >= 2 && protocol <= 5;
}

/** What to do instead, for a message. `path` is the file's. */
export function conversionAdvice(path: string): string {
  const target = path.slice(0, path.length - extname(path).length);
  return (
    "A pickle is a program that runs when it is loaded, so tailray opens none; of PyTorch's files, it reads the zip " +
    'archives of torch.save since PyTorch 1.6. Convert it once, where Python has torch and safetensors (this reads ' +
    'tensors only):\n' +
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

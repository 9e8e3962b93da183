/**
 * Networks are often saved inside another module, which puts its own name for them before every tensor's: PyTorch's
 * parallel wrappers (`module.`), torch.compile (`_orig_mod.`) and Lightning, where most call it `model.`.
 */
const WRAPPERS = ['module.', '_orig_mod.', 'model.'] as const;

/** What stands before all names and is no part of the network; several wrappers stand behind each other. */
export function wrapperPrefix(names: Iterable<string>): string {
  const all = [...names];
  let prefix = '';
  for (;;) {
    const next = WRAPPERS.find((wrapper) => all.every((name) => name.startsWith(prefix + wrapper)));
    if (next === undefined || all.length === 0) return prefix;
    prefix += next;
  }
}

/** A file's tensors by their names in the network itself, with a note where they had others. */
export function fromWrapped<T>(tensors: ReadonlyMap<string, T>): {
  readonly tensors: ReadonlyMap<string, T>;
  readonly notes: readonly string[];
} {
  const prefix = wrapperPrefix(tensors.keys());
  if (prefix === '') return { tensors, notes: [] };
  return {
    tensors: new Map([...tensors].map(([name, tensor]) => [name.slice(prefix.length), tensor])),
    notes: [`all tensors of the file are called ${prefix}…: that prefix is left out.`],
  };
}

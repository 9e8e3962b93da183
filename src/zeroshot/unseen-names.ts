/**
 * The names that mean a class in `unseen`. Case, white space, hyphens and underscores do not count, so that a misspelt column
 * does not slip through.
 */
export function namesOfUnseen(names: readonly string[], unseen: readonly string[]): string[] {
  const forbidden = new Set(unseen.map(plain));
  return names.filter((name) => forbidden.has(plain(name)));
}

function plain(name: string): string {
  return name
    .normalize('NFKC')
    .replaceAll(/[\s_-]+/g, ' ')
    .trim()
    .toLowerCase();
}

/**
 * Paths by as much of their ends as tells them apart: `a/labels.csv` beside `b/labels.csv`. Where they lie on a machine is
 * nobody's business. Equal paths have equal ends.
 */
export function pathEnds(paths: readonly string[]): string[] {
  const distinct = new Map([...new Set(paths)].map((path) => [path, partsOf(path)]));
  const ends = new Map<string, string>();
  for (const [path, parts] of distinct) {
    const others = [...distinct].filter(([other]) => other !== path).map(([, each]) => each);
    let count = 1;
    while (count < parts.length && others.some((other) => end(other, count) === end(parts, count))) count++;
    ends.set(path, end(parts, count));
  }
  return paths.map((path) => ends.get(path) ?? path);
}

function end(parts: readonly string[], count: number): string {
  return parts.slice(-count).join('/');
}

function partsOf(path: string): string[] {
  return path.split(/[\\/]/).filter((part) => part !== '');
}

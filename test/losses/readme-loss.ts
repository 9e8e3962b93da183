import { readFile } from 'node:fs/promises';

/** The loss that the README has a reader write, as a reader would copy it. */
export async function readmeLoss(): Promise<string> {
  const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
  const [block] = [...readme.matchAll(/```ts\n(.*?)```/gs)]
    .map(([, code = '']) => code)
    .filter((code) => code.includes('export default defineLoss('));
  if (block === undefined) throw new Error('README.md has no loss in it');
  return block;
}

// @ts-check
/**
 * `node run-test-file.mjs FILE`: runs one file of tests without vitest's server, prints each failure, and as its last line
 * `{"passed":…,"failed":[…],"skipped":…}`. To be started with jiti's hooks, since tests are TypeScript.
 */

import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { startTests } from '@vitest/runner';

const path = resolve(process.argv[2] ?? '');
const root = process.cwd();
/** @type {any} */
const config = {
  root,
  name: undefined,
  setupFiles: [],
  passWithNoTests: false,
  allowOnly: true,
  sequence: { shuffle: false, concurrent: false, seed: 0, hooks: 'stack', setupFiles: 'list' },
  maxConcurrency: 1,
  testTimeout: 300_000,
  hookTimeout: 300_000,
  retry: 0,
  includeTaskLocation: false,
  tags: [],
  tagsFilter: undefined,
  strictTags: false,
};

await import(pathToFileURL(resolve(root, 'test/properties.ts')).href);
const [file] = await startTests(
  [{ filepath: path }],
  /** @type {any} */ ({
    config,
    importFile: (/** @type {string} */ wanted) => import(pathToFileURL(wanted).href),
  }),
);

const tally = { passed: 0, failed: /** @type {string[]} */ ([]), skipped: 0 };
if (file) count(file, []);
for (const failure of tally.failed) console.log(`FAILED ${failure}`);
console.log(JSON.stringify(tally));
process.exit(tally.failed.length > 0 || tally.passed + tally.skipped === 0 ? 1 : 0);

/**
 * @param {import('@vitest/runner').Task} task
 * @param {string[]} above names of the suites around it
 */
function count(task, above) {
  const names = task.type === 'suite' && task === file ? above : [...above, task.name];
  const errors = task.result?.errors?.map(({ message }) => message.split('\n').slice(0, 4).join(' ')) ?? [];
  if (task.type === 'suite') {
    if (errors.length > 0) tally.failed.push(`${names.join(' > ') || task.name}: ${errors.join('; ')}`);
    for (const child of task.tasks) count(child, names);
  } else if (task.result?.state === 'pass') tally.passed += 1;
  else if (task.mode === 'skip' || task.mode === 'todo' || task.result?.state === 'skip') tally.skipped += 1;
  else tally.failed.push(`${names.join(' > ')}: ${errors.join('; ') || 'it never ran'}`);
}

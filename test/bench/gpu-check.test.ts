import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseTarGzip } from 'nanotar';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { writeArchive } from '../../bench/gpu-check/check-archive.js';
import { planCheck } from '../../bench/gpu-check/check-plan.js';
import { parityFiles, reportOf, runParity } from '../../bench/gpu-check/parity.js';
import { runNode } from '../../bench/gpu-check/timed-process.js';
import { selectWorkloads } from '../../bench/selection.js';
import { WORKLOADS } from '../../bench/workloads/all.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tailray-check-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('the plan', () => {
  test('fits into its time, and names workloads that there are', () => {
    for (const software of [true, false]) {
      const plan = planCheck({ software, cores: 16, seconds: 560 });
      const total = Object.values(plan.seconds).reduce((sum, each) => sum + each, 0);
      expect(total).toBeLessThan(560);
      for (const works of [plan.works, plan.tuned])
        expect(selectWorkloads(WORKLOADS, works).length).toBeGreaterThanOrEqual(works.length);
    }
  });

  test('is small on a software adapter', () => {
    const [small, whole] = [true, false].map((software) => planCheck({ software, cores: 16, seconds: 560 }));
    expect(small!.works.length).toBeLessThan(whole!.works.length / 4);
    const wanted = parityFiles(ROOT).filter((path) => small!.tests.some((part) => path.includes(part)));
    expect(wanted).toHaveLength(small!.tests.length);
    expect(small!.side).toBe(1);
    expect(whole!.side).toBe(6);
  });
});

describe('a program with a time limit', () => {
  const options = (seconds: number) => ({ seconds, log: join(folder, 'log.txt'), cwd: folder });

  test('is told apart by how it ends', async () => {
    const good = await runNode(['-e', 'console.log(1)'], options(30));
    expect(good).toMatchObject({ status: 'done', stdout: '1\n' });
    const bad = await runNode(['-e', 'console.error("no luck"); process.exit(3)'], options(30));
    expect(bad).toMatchObject({ status: 'failed', reason: 'exit code 3: no luck' });
    const late = await runNode(['-e', 'setTimeout(() => {}, 60000)'], options(0.3));
    expect(late.status).toBe('out of time');
    expect(late.seconds).toBeLessThan(20);
    expect(readFileSync(join(folder, 'log.txt'), 'utf8')).toContain('no luck');
  });
});

describe('parity', () => {
  test('begins with what tells most, and takes each file once', () => {
    const files = parityFiles(ROOT);
    expect(files[0]).toBe('test/kernels/pytorch-ops.test.ts');
    expect(files.length).toBeGreaterThan(50);
    expect(new Set(files).size).toBe(files.length);
  });

  test('reads the last line, tells failed tests from a broken file, and names files without time', async () => {
    const ending = { status: 'failed', reason: 'exit code 1', seconds: 1 } as const;
    const told = 'noise\n{"passed":2,"failed":["a: b"],"skipped":1}\n';
    expect(reportOf('x', { ...ending, stdout: told })).toEqual({
      ...{ file: 'x', status: 'done', seconds: 1, passed: 2, skipped: 1, failed: ['a: b'] },
    });
    const crashed = reportOf('x', { ...ending, reason: 'ended by SIGSEGV', stdout: '' });
    expect(crashed).toMatchObject({ status: 'failed', reason: 'ended by SIGSEGV', passed: 0 });
    const runner = ['-e', 'console.log(JSON.stringify({ passed: 3, failed: [], skipped: 0 }))', '--'];
    const shared = { root: folder, runner, side: 1, log: join(folder, 'log.txt') };
    const report = await runParity({ ...shared, files: ['a', 'b'], seconds: 60 });
    expect(report).toMatchObject({ passed: 6, notRun: [] });
    expect(await runParity({ ...shared, files: ['a'], seconds: 0 })).toMatchObject({ notRun: ['a'] });
  });

  test('the bundle runs a file of tests without vitest’s server, and fails where a test fails', async () => {
    writeFileSync(
      join(folder, 'some.test.ts'),
      `import { describe, expect, test } from 'vitest';
       describe('sums', () => {
         test.each([1, 2])('of %d', (x: number) => expect(x + x).toBe(2 * x));
         test('wrong', () => expect([1, 2]).toEqual([1, 3]));
         test.skip('later', () => expect.fail());
       });
       test('objects', async () => {
         expect({ a: 1, b: [2] }).toMatchObject({ b: [expect.any(Number)] });
         await expect(Promise.reject(new RangeError('no'))).rejects.toThrow(RangeError);
       });`,
    );
    mkdirSync(join(folder, 'node_modules'));
    mkdirSync(join(folder, 'test'));
    writeFileSync(join(folder, 'test/properties.ts'), '');
    const stand = join(ROOT, 'scripts/bundle/vitest/index.js');
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
    mkdirSync(join(folder, 'node_modules/vitest'));
    writeFileSync(
      join(folder, 'node_modules/vitest/package.json'),
      '{"type":"module","exports":"./index.js"}',
    );
    writeFileSync(join(folder, 'node_modules/vitest/index.js'), `export * from ${JSON.stringify(stand)};`);
    const hooks = join(ROOT, 'node_modules/jiti/lib/jiti-register.mjs');
    const words = ['--import', hooks, join(ROOT, 'scripts/bundle/run-test-file.mjs'), 'some.test.ts'];
    const ending = await runNode(words, { seconds: 120, log: join(folder, 'log.txt'), cwd: folder });
    const report = reportOf('some.test.ts', ending);
    expect(report).toMatchObject({ status: 'done', passed: 3, skipped: 1 });
    expect(report.failed).toEqual([expect.stringMatching(/^sums > wrong: expected \[ 1, 2 \]/)]);
  });
});

test('the archive holds paths that begin where bench/results begins', async () => {
  mkdirSync(join(folder, 'results/2026-11-24-card'), { recursive: true });
  writeFileSync(join(folder, 'results/2026-11-24-card/check.json'), `{"at":"${folder}/x"}`);
  const path = join(folder, 'all.tar.gz');
  const bytes = await writeArchive(join(folder, 'results'), path, new Map([[folder, 'work']]));
  const archive = readFileSync(path);
  expect(archive).toHaveLength(bytes);
  const [only, ...others] = await parseTarGzip(archive);
  expect(only).toMatchObject({ name: '2026-11-24-card/check.json', text: '{"at":"work/x"}' });
  expect(others).toEqual([]);
});

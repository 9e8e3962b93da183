import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BenchError } from '../../bench/bench-error.js';
import { readRun } from '../../bench/pages/kept-run.js';
import { milliseconds, timesAsLong } from '../../bench/pages/row-text.js';
import { pagesFromResults } from '../../bench/pages/write-pages.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

test('the committed pages show what is kept: `npm run bench -- --table` would change nothing', () => {
  const pages = pagesFromResults(ROOT);
  expect([...pages.keys()]).toEqual(['README.md', 'docs/benchmark.md']);
  for (const [page, text] of pages) expect(readFileSync(join(ROOT, page), 'utf8'), page).toBe(text);
});

describe('a kept run', () => {
  let results = '';
  beforeEach(() => {
    results = mkdtempSync(join(tmpdir(), 'tailray-pages-'));
    mkdirSync(join(results, 'run'));
  });
  afterEach(() => rmSync(results, { recursive: true }));

  const header = { run: { date: '2026-11-24', adapter: 'a card', roofline: {} } };
  const keep = (...lines: readonly unknown[]) =>
    writeFileSync(join(results, 'run/results.jsonl'), lines.map((line) => JSON.stringify(line)).join('\n'));
  const measured = (work: string, who: string, msMedian: number, rounds?: number[]) => ({
    ...{ work, who, direction: 'step', msMedian, msMin: 1, msMax: 9 },
    ...(rounds && { rounds }),
  });

  test('gives ratios within rounds where it has them, else of medians', () => {
    keep(
      header,
      measured('new', 'tailray', 2, [1, 2, 4]),
      measured('new', 'jax-js', 10, [10, 10, 12]),
      measured('old', 'tailray', 2),
      measured('old', 'jax-js', 10),
    );
    const { rows } = readRun(results, { folder: 'run' });
    // 10, 5 and 3 times as long
    expect(rows.map((row) => timesAsLong(row, 'jax-js'))).toEqual(['5.00', '5.00']);
    expect(timesAsLong(rows[0]!, 'tfjs-webgpu')).toBe('');
    expect(milliseconds(rows[0]!.measured.get('tailray')!)).toBe('2.00 ms (1.00–9.00)');
    keep(header, measured('new', 'tailray', 2, [2, 2, 2]), measured('new', 'jax-js', 10, [14, 12, 2]));
    expect(timesAsLong(readRun(results, { folder: 'run' }).rows[0]!, 'jax-js')).toBe('6.00');
  });

  test('may be good for some of its rows only', () => {
    keep(header, measured('resnet18', 'tailray', 2), measured('matmul', 'tailray', 2));
    const { rows } = readRun(results, { folder: 'run', works: ['resnet'] });
    expect(rows.map(({ name }) => name)).toEqual(['resnet18']);
  });

  test('is refused, with the line, where it is broken', () => {
    keep(measured('matmul', 'tailray', 2));
    expect(() => readRun(results, { folder: 'run' })).toThrow(BenchError);
    writeFileSync(join(results, 'run/results.jsonl'), `${JSON.stringify(header)}\n{"work":`);
    expect(() => readRun(results, { folder: 'run' })).toThrow(/results\.jsonl, line 2/);
  });
});

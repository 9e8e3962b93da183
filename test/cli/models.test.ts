import { afterEach, expect, test, vi } from 'vitest';
import { keepDawn } from './kept-dawn.js';

afterEach(async () => {
  vi.restoreAllMocks();
  await keepDawn();
  vi.resetModules();
  process.exitCode = undefined;
});

/** Runs the command in this process, as `node dist/cli/models.js ...words` would. */
async function models(...words: string[]): Promise<{ stdout: string; stderr: string }> {
  const printed = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    vi.spyOn(process[stream], 'write').mockImplementation((text) => {
      printed[stream] += text;
      return true;
    });
  }
  const argv = process.argv;
  process.argv = ['node', 'models.js', ...words];
  try {
    await import('../../src/cli/models.js');
  } finally {
    process.argv = argv;
  }
  return printed;
}

test('--json gives the figures of the architectures that match, planned for the adapter', async () => {
  const { stdout } = await models('resnet18', '--json', '--size', '64', '--batch', '4', '--head', 'csra');
  const { adapter, size, batchSize, models: rows } = JSON.parse(stdout);
  expect(adapter).toBeTruthy();
  expect([size, batchSize]).toEqual([[64, 64], 4]);
  expect(rows.map(({ arch }: { arch: string }) => arch)).toEqual(['resnet18', 'resnet18d']);
  for (const row of rows) expect(row.training).toMatchObject({ batchSize: 4, bytes: expect.any(Number) });
});

test('without an adapter it is a table with the reason', async () => {
  const { stdout } = await models('convnext_atto', '--adapter', 'no such adapter');
  expect(process.exitCode).toBeUndefined();
  expect(stdout).toMatch(/^convnext_atto +3\.70 +0\.55 +3\.81$/m);
  expect(stdout).toContain('The memory of training is left out: No adapter fits "no such adapter"');
});

test('an unknown name is refused with a near one', async () => {
  const { stderr } = await models('convnextv3_base', '--no-memory');
  expect(process.exitCode).toBe(2);
  expect(stderr).toContain('did you mean "convnextv2_base"?');
});

test('of all architectures, those that cannot take such images are left out, with the reason', async () => {
  const { stdout, stderr } = await models('--no-memory', '--size', '256');
  expect(process.exitCode).toBeUndefined();
  expect(stdout).toMatch(/^vit_tiny_patch16_224 /m);
  expect(stdout).not.toContain('dinov2');
  expect(stderr).toMatch(/^left out +vit_base_patch14_dinov2: .*multiples of 14 pixels, got 256 × 256$/m);
});

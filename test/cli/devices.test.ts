import { afterEach, expect, test, vi } from 'vitest';
import { keepDawn } from './kept-dawn.js';

afterEach(async () => {
  vi.restoreAllMocks();
  await keepDawn();
  vi.resetModules();
  process.exitCode = undefined;
});

/** Runs the command in this process, as `node dist/cli/devices.js ...words` would. */
async function devices(...words: string[]): Promise<string> {
  let printed = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += text;
    return true;
  });
  const argv = process.argv;
  process.argv = ['node', 'devices.js', ...words];
  try {
    await import('../../src/cli/devices.js');
  } finally {
    process.argv = argv;
  }
  return printed;
}

test('--json gives every report, and the name that would be used', async () => {
  const { chosen, adapters } = JSON.parse(await devices('--json', '--adapter', ''));
  expect(adapters.length).toBeGreaterThan(0);
  for (const adapter of adapters) {
    if (adapter.accepted) expect(adapter.limits.maxBufferSize).toBeGreaterThan(0);
    else expect(adapter.reason).not.toBe('');
  }
  expect(chosen).toBe(adapters[0].accepted ? adapters[0].name : null);
});

test('--measure tells what the adapter can do', async () => {
  const { chosen, roofline } = JSON.parse(await devices('--json', '--measure'));
  expect(chosen).not.toBe(null);
  expect(roofline.gflops).toBeGreaterThan(0.1);
  expect(roofline.gbps).toBeGreaterThan(0.01);
});

test('without options it prints the table and how to choose', async () => {
  const printed = await devices('--adapter', 'no such adapter');
  expect(printed).toContain('"no such adapter" is asked for. No adapter fits');
  expect(printed).toContain('TAILRAY_ADAPTER=NAME');
});

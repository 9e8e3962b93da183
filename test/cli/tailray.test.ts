import { readdir, readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { COMMANDS, isCommandName } from '../../src/cli/commands.js';
import { buildCommands, type Commands } from './commands.js';

let commands: Commands;
beforeAll(async () => {
  commands = await buildCommands();
});
afterAll(() => commands.remove());

const tailray = (...words: string[]) => commands.run('tailray', words);

test('every program in src/cli is a command with its line in the help, and no other is', async () => {
  const folder = resolve(import.meta.dirname, '../../src/cli');
  const files = (await readdir(folder)).filter((file) => file.endsWith('.ts') && file !== 'tailray.ts');
  const programs: string[] = [];
  for (const file of files) {
    if ((await readFile(resolve(folder, file), 'utf8')).startsWith('#!')) programs.push(file.slice(0, -3));
  }
  expect(Object.keys(COMMANDS).sort()).toEqual(programs.sort());
});

describe('help', () => {
  test('has one line for each command, in 80 columns', async () => {
    const { code, stdout } = await tailray('--help');
    expect(code).toBe(0);
    for (const [name, { summary }] of Object.entries(COMMANDS)) {
      expect(stdout).toMatch(new RegExp(`^  ${name} +${summary.replace(/\W/g, '\\$&')}$`, 'm'));
    }
    expect(stdout.split('\n').every((line) => line.length <= 80)).toBe(true);
  });

  test('of a command is the same by all its names', async () => {
    const [long, short, file] = await Promise.all([
      tailray('losses', '--help'),
      tailray('help', 'losses'),
      commands.run('losses', ['--help']),
    ]);
    expect(long.stdout).toMatch(/^Usage: tailray losses \[options\] \[name\]/);
    expect([short.stdout, file.stdout]).toEqual([long.stdout, long.stdout]);
  });
});

test('a command gets its words, its output and its exit code through', async () => {
  const words = ['hill'];
  const [through, alone] = await Promise.all([tailray('losses', ...words), commands.run('losses', words)]);
  expect(through).toEqual(alone);
  expect(through.code).toBe(0);
  const { code, stderr } = await tailray('losses', 'no-such-loss');
  expect(code).toBe(2);
  expect(stderr).toMatch(/^error: .*no-such-loss/);
});

test.each([
  [['trian'], "error: unknown command 'trian'\n(Did you mean train?)"],
  [['train', '--recpie', 'x'], "error: unknown option '--recpie'\n(Did you mean --recipe?)"],
  [['models', '--batchsize', '4'], "error: unknown option '--batchsize'\n(Did you mean --batch-size?)"],
])('%j ends with code 2 and a suggestion', async (words, message) => {
  const { code, stdout, stderr } = await tailray(...words);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr.startsWith(message)).toBe(true);
  expect(stderr).not.toContain('Usage:');
});

test('without a command it says how it is used, and fails', async () => {
  const { code, stderr } = await tailray();
  expect(code).toBe(2);
  expect(stderr).toMatch(/^Usage: tailray <command>/);
});

test('--version', async () => {
  const { version } = JSON.parse(await readFile('package.json', 'utf8'));
  expect((await tailray('--version')).stdout).toBe(`${version}\n`);
});

describe('only the command asked for is loaded', () => {
  /** Paths below dist/ of the modules that a command line loads. */
  async function loaded(...words: string[]): Promise<string[]> {
    const hook =
      'export async function load(url, context, next) { if (url.startsWith("file:")) ' +
      'process._rawDebug("LOADED " + url); return next(url, context); }';
    const asUrl = (code: string) => `data:text/javascript,${encodeURIComponent(code)}`;
    const register = `import { register } from 'node:module'; register(${JSON.stringify(asUrl(hook))});`;
    const { stderr } = await commands.run('tailray', words, {
      env: { NODE_OPTIONS: `--import=${asUrl(register)}` },
    });
    return [...stderr.matchAll(/^LOADED .*?\/dist\/(.*)$/gm)].map(([, path = '']) => path);
  }

  test('--help loads no command at all, and nothing that computes', async () => {
    const modules = await loaded('--help');
    expect(modules).toContain('cli/tailray.js');
    expect(modules.filter((path) => isCommandName(path.slice('cli/'.length, -'.js'.length)))).toEqual([]);
    expect(modules.filter((path) => /^(index\.js|(train|models|kernels|data|report)\/)/.test(path))).toEqual(
      [],
    );
  });

  test.each(Object.keys(COMMANDS))('%s --help', async (name) => {
    const modules = await loaded(name, '--help');
    const programs = Object.keys(COMMANDS).filter((other) => modules.includes(`cli/${other}.js`));
    expect(programs).toEqual([name]);
  });
});

test('old spellings of options still work, and stand in no help', async () => {
  const words = ['resnet18', '--json', '--no-memory', '--size', '64'];
  const [old, now] = await Promise.all([
    tailray('models', ...words, '--batch', '4'),
    tailray('models', ...words, '--batch-size', '4'),
  ]);
  expect(JSON.parse(now.stdout).batchSize).toBe(4);
  expect(old).toEqual(now);
  const refused = await tailray('train', '--head', 'lose');
  expect(refused.stderr).toContain('Allowed choices are keep, reset.');
  for (const [name, spelling] of [
    ['models', '--batch '],
    ['train', ' --head '],
    ['bench', '--save '],
  ] as const) {
    expect((await tailray(name, '--help')).stdout).not.toContain(spelling);
  }
});

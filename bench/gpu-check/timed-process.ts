import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';

/** How a program ended that was given so much time. */
export interface Ending {
  readonly status: 'done' | 'failed' | 'out of time';
  /** Of a program that failed: its exit code or the signal that ended it, and the last line that it wrote. */
  readonly reason?: string;
  readonly seconds: number;
  /** What it wrote to stdout. */
  readonly stdout: string;
}

export interface ProcessOptions {
  readonly seconds: number;
  /** File for all that it writes. */
  readonly log: string;
  readonly cwd: string;
  readonly environment?: Readonly<Record<string, string>>;
}

/** Dawn's remarks about every adapter, which say nothing of what was asked for. */
const REMARK = /^Warning: maxDynamic\w+ artificially reduced/;

/** Runs this node with these words, and ends it where it takes longer than it may. Never rejects. */
export async function runNode(words: readonly string[], options: ProcessOptions): Promise<Ending> {
  const { seconds, log, cwd, environment = {} } = options;
  const start = performance.now();
  const file = createWriteStream(log, { flags: 'a' });
  file.write(`$ node ${words.join(' ')}\n`);
  const child = spawn(process.execPath, [...words], {
    cwd,
    env: { ...process.env, NO_COLOR: '1', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill('SIGKILL');
  }, 1000 * seconds);
  const out: string[] = [];
  const errors: string[] = [];
  child.stdout.setEncoding('utf8').on('data', (text: string) => out.push(text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => errors.push(text));
  const failure = await new Promise<string | undefined>((resolve) => {
    child.on('error', ({ message }) => resolve(message));
    child.on('close', (code, signal) =>
      resolve(code === 0 ? undefined : signal ? `ended by ${signal}` : `exit code ${code}`),
    );
  });
  clearTimeout(timer);
  const stdout = out.join('');
  const said = errors
    .join('')
    .split('\n')
    .filter((line) => line.trim() !== '' && !REMARK.test(line));
  file.end(`${stdout}${said.map((line) => `${line}\n`).join('')}`);
  await finished(file);
  const took = (performance.now() - start) / 1000;
  if (late) return { status: 'out of time', seconds: took, stdout };
  if (failure === undefined) return { status: 'done', seconds: took, stdout };
  return { status: 'failed', reason: [failure, ...said.slice(-1)].join(': '), seconds: took, stdout };
}

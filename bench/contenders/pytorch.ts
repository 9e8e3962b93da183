import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { TailrayError } from '#src/engine/errors.js';
import type { Shape } from '#src/engine/graph/tensor.js';
import type { Entrant, TensorForm } from '../entrant.js';
import { fromChannelsFirst, operandValues, toChannelsFirst } from '../operand-values.js';
import { MissingPeerError } from './load-peer.js';

/**
 * PyTorch on the CPU, on all cores: the honest upper bound for a software adapter, which computes on the same cores. And
 * PyTorch by CUDA, where it has it: in f32 without TF32, as all others compute. Each runs in a process of its own
 * (pytorch.py) that does nothing between its turns.
 */
export interface PytorchHost {
  readonly version: string;
  readonly process: PytorchProcess;
}

/** PyTorch could not do what it was asked to. */
export class PytorchError extends TailrayError {}

/** A torchvision model's forward pass without gradients. Tensors are in PyTorch's layout, under timm's names. */
export interface PytorchModel {
  /** torchvision's name. */
  readonly model: string;
  readonly parameters: ReadonlyMap<string, PytorchTensor>;
  readonly statistics: ReadonlyMap<string, PytorchTensor>;
  /** images [n, c, h, w]; in training, then targets [n, classes] */
  readonly batch: readonly PytorchTensor[];
  readonly classes: number;
}

/** A step of training such a model. */
export interface PytorchStep extends PytorchModel {
  readonly loss: 'bce' | 'cross-entropy';
  readonly learningRate: number;
  readonly weightDecay: number;
}

export interface PytorchTensor {
  readonly shape: Shape;
  readonly values: Float32Array;
}

/** @throws MissingPeerError where no Python with PyTorch, or with CUDA, is found */
export async function openPytorch(device: 'cpu' | 'cuda'): Promise<PytorchHost> {
  const reasons: string[] = [];
  for (const python of pythons()) {
    const child = new PytorchProcess(python, device);
    try {
      const { version } = (await child.next()) as { version: string };
      return { version, process: child };
    } catch (error) {
      child.end();
      reasons.push(`${python}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  throw new MissingPeerError(
    `no Python with PyTorch${device === 'cuda' ? ' and CUDA' : ''} (${reasons.join('; ')}): set TAILRAY_PYTHON to one that has it`,
  );
}

function pythons(): string[] {
  const own = process.env.TAILRAY_PYTHON;
  return own ? [own] : ['/usr/bin/python3', 'python3'];
}

/** @param code a Python expression over x0, x1…, `torch` and `F` */
export async function pytorchEntrant(
  { process: child }: PytorchHost,
  forms: { readonly operands: readonly TensorForm[]; readonly results: readonly TensorForm[] },
  code: string,
): Promise<Entrant> {
  const operands = forms.operands.map((form, i) => toChannelsFirst(form, operandValues(form, i)));
  return preparedEntrant(child, operands, { expression: code }, forms.results);
}

/** A step where loss and rate are given, else a forward pass. */
export async function pytorchModelEntrant(
  { process: child }: PytorchHost,
  model: PytorchModel | PytorchStep,
  result: TensorForm,
): Promise<Entrant> {
  const { parameters, statistics, batch, ...rest } = model;
  return withTensors(batch, (path) =>
    preparedEntrant(
      child,
      [...parameters.values(), ...statistics.values()],
      {
        ['loss' in model ? 'step' : 'forward']: {
          ...rest,
          parameters: [...parameters.keys()],
          statistics: [...statistics.keys()],
          batch: path,
          batchShapes: batch.map(({ shape }) => shape),
        },
      },
      [result],
    ),
  );
}

async function preparedEntrant(
  child: PytorchProcess,
  operands: readonly PytorchTensor[],
  work: object,
  forms: readonly TensorForm[],
): Promise<Entrant> {
  const shapes = operands.map(({ shape }) => shape);
  await withTensors(operands, (path) => child.ask({ prepare: { ...work, operands: path, shapes } }));
  return {
    round: async (repeats) => {
      await child.ask({ round: repeats });
    },
    results: () =>
      withTensors([], async (path) => {
        const { sizes } = (await child.ask({ results: path })) as { sizes: number[] };
        const { buffer, byteOffset, byteLength } = await readFile(path);
        const all = new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength));
        let start = 0;
        return sizes.map((size, i) => {
          const values = all.subarray(start, start + size);
          start += size;
          const form = forms[i];
          return form ? fromChannelsFirst(form, values) : values;
        });
      }),
    peakBytes: null,
    dispose: () => undefined,
  };
}

/** Puts tensors one after another into a file that is there for as long as `use` takes. */
async function withTensors<T>(
  tensors: readonly PytorchTensor[],
  use: (path: string) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'tailray-bench-'));
  try {
    const path = join(folder, 'tensors.f32');
    await writeFile(
      path,
      tensors.map(({ values }) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength)),
    );
    return await use(path);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** pytorch.py, a question and an answer at a time. */
export class PytorchProcess {
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;
  #problem = '';

  constructor(python: string, device: 'cpu' | 'cuda') {
    const script = fileURLToPath(import.meta.resolve('#bench/pytorch.py'));
    const child = spawn(python, [script, device], { stdio: ['pipe', 'pipe', 'pipe'] });
    child.on('error', ({ message }) => {
      this.#problem = message;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#problem = text.trim().split('\n').at(-1) ?? '';
    });
    child.stdin.on('error', () => undefined); // told by the missing answer
    this.#child = child;
    this.#answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  /** @throws PytorchError with what the process says */
  async ask(question: object): Promise<unknown> {
    this.#child.stdin?.write(`${JSON.stringify(question)}\n`);
    return this.next();
  }

  async next(): Promise<unknown> {
    const { done, value } = await this.#answers.next();
    if (done) throw new PytorchError(this.#problem || 'the process ended');
    const answer = JSON.parse(value) as { error?: string };
    if (answer.error !== undefined) throw new PytorchError(`PyTorch: ${answer.error}`);
    return answer;
  }

  end(): void {
    this.#child.stdin?.end();
  }
}

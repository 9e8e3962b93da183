import { isDeepStrictEqual } from 'node:util';
import { type SafetensorsTensor, toFloat32 } from '../models/safetensors/safetensors.js';
import { type Checkpoint, type CheckpointAbout, readCheckpoint } from './checkpoint.js';
import { CheckpointError } from './checkpoint-error.js';

/**
 * The mean of several checkpoints' weights, element by element: of epochs of one training (SWA, Izmailov et al. 2018), or
 * of trainings from one start (model soups, Wortsman et al. 2022). Computed in float64; one file is in memory at a time.
 * The running statistics of batch norm are averaged as well, not measured anew on images.
 * @param paths of one file or more
 * @throws CheckpointError 'mismatch' where architecture, classes, preprocessing or tensors differ from the first's
 */
export async function averageCheckpoints(
  paths: readonly string[],
  read: (path: string) => Promise<Checkpoint> = readCheckpoint,
): Promise<Checkpoint> {
  let mean: WeightMean | undefined;
  for (const path of paths) {
    const checkpoint = await read(path);
    if (mean === undefined) mean = new WeightMean(path, checkpoint);
    else mean.add(path, checkpoint);
  }
  if (mean === undefined) throw new RangeError('no checkpoint to average');
  return mean.checkpoint();
}

/** Whether a checkpoint has running statistics of batch norm. */
export function hasRunningStatistics({ tensors }: Pick<Checkpoint, 'tensors'>): boolean {
  return [...tensors.keys()].some((name) => name.endsWith('.running_mean'));
}

class WeightMean {
  readonly #paths: string[];
  readonly #shapes: ReadonlyMap<string, readonly number[]>;
  /** Tensors of whole numbers, such as PyTorch's counts of batches, stay as in the first file. */
  readonly #counters: ReadonlyMap<string, SafetensorsTensor>;
  readonly #sums: ReadonlyMap<string, Float64Array>;
  #about: CheckpointAbout;

  constructor(path: string, { tensors, ...about }: Checkpoint) {
    this.#paths = [path];
    this.#about = about;
    this.#shapes = new Map([...tensors].map(([name, { shape }]) => [name, shape]));
    const counters = [...tensors].filter(([, { dtype }]) => !/^B?F\d+$/.test(dtype));
    this.#counters = new Map(counters);
    this.#sums = new Map(
      [...tensors].flatMap(([name, tensor]) =>
        this.#counters.has(name) ? [] : [[name, Float64Array.from(toFloat32(tensor))]],
      ),
    );
  }

  add(path: string, checkpoint: Checkpoint): void {
    this.#requireSameKind(path, checkpoint);
    const { tensors, ...about } = checkpoint;
    for (const [name, tensor] of tensors) {
      const sum = this.#sums.get(name);
      if (sum === undefined) continue;
      const values = toFloat32(tensor);
      for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] as number) + (values[i] as number);
    }
    const before = this.#about;
    const seen = [...new Set([...(before.seenBefore ?? []), ...(about.seenBefore ?? [])])];
    this.#about = {
      ...before,
      ...(seen.length > 0 && { seenBefore: seen }),
      epoch: Math.max(before.epoch, about.epoch),
      step: Math.max(before.step, about.step),
      prevalence: before.prevalence.map((share, c) => (share === about.prevalence[c] ? share : null)),
      ...((before.simulated || about.simulated) && { simulated: true }),
    };
    this.#paths.push(path);
  }

  checkpoint(): Checkpoint {
    const count = this.#paths.length;
    return {
      ...this.#about,
      weights: 'average',
      metrics: { mAP: null, auroc: null },
      averaged: this.#paths.map((path) => path.split(/[/\\]/).slice(-2).join('/')),
      tensors: new Map(
        [...this.#shapes].map(([name, shape]): [string, SafetensorsTensor] => {
          const data = Float32Array.from(this.#sums.get(name) ?? [], (value) => value / count);
          return [name, this.#counters.get(name) ?? { dtype: 'F32', shape, data }];
        }),
      ),
    };
  }

  /** @throws CheckpointError 'mismatch' */
  #requireSameKind(path: string, { tensors, ...about }: Checkpoint): void {
    const [first = ''] = this.#paths;
    const differs = (reason: string) =>
      new CheckpointError('mismatch', path, `${reason}: weights of different networks have no mean.`);
    const kind = ({ model, classes, preprocessing }: CheckpointAbout) => ({
      // rates of dropout act in training alone
      network: { ...model, dropRate: 0, dropPathRate: 0 },
      classes,
      preprocessing,
    });
    const [mine, other] = [kind(this.#about), kind(about)];
    for (const part of ['network', 'classes', 'preprocessing'] as const) {
      if (isDeepStrictEqual(mine[part], other[part])) continue;
      const order = part === 'classes' ? ' (or their order)' : '';
      throw differs(`has other ${part === 'network' ? 'architecture' : part}${order} than ${first}`);
    }
    const names = new Set([...this.#shapes.keys(), ...tensors.keys()]);
    for (const name of names) {
      const [shape, otherShape] = [this.#shapes.get(name), tensors.get(name)?.shape];
      if (isDeepStrictEqual(shape && [...shape], otherShape && [...otherShape])) continue;
      throw differs(
        `tensor ${name} is ${otherShape ? `[${otherShape}]` : 'missing'} here and ${shape ? `[${shape}]` : 'missing'} in ${first}`,
      );
    }
  }
}

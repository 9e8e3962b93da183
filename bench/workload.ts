import type { Shape } from '#src/engine/graph/tensor.js';
import type { JaxHost } from './contenders/jax.js';
import type { OnnxHost } from './contenders/onnx.js';
import type { PytorchHost } from './contenders/pytorch.js';
import type { TailrayHost } from './contenders/tailray.js';
import type { TfjsHost } from './contenders/tfjs.js';

/**
 * What is measured: a piece of work that several libraries do from the same numbers. A workload is a declaration; how a
 * library is loaded, fed and waited for is in contenders/.
 */

/** The libraries, in the order in which the table shows them. */
export const CONTENDERS = ['tailray', 'tfjs-webgpu', 'jax-js', 'onnxruntime-cpu', 'pytorch-cpu'] as const;
export type Who = (typeof CONTENDERS)[number];
export type Peer = Exclude<Who, 'tailray'>;

/** What a library needs to take part, opened once a run. */
export interface Hosts {
  readonly tailray: TailrayHost;
  readonly 'tfjs-webgpu': TfjsHost;
  readonly 'jax-js': JaxHost;
  readonly 'onnxruntime-cpu': OnnxHost;
  readonly 'pytorch-cpu': PytorchHost;
}

/** `step`: forward, backward and whatever belongs to a step of training. */
export type Direction = 'forward' | 'dX' | 'dW' | 'step';

export interface Workload {
  /** Unique together with `direction`. */
  readonly name: string;
  readonly direction: Direction;
  /** For people. */
  readonly shape: string;
  readonly dtype: 'f32';
  /** What the work takes; absent: the sum of the plan of tailray's program, see `Entrant.costs`. */
  readonly cost?: Cost;
  /** Left out on software adapters: the work takes minutes there. */
  readonly onlyOnGpu?: boolean;
  /** Largest difference from tailray's results that counts as agreement, see agreement.ts; 1e-3 when absent. */
  readonly tolerance?: number;
  readonly entries: Entries;
}

/** Of the definition of some work, whatever a library really does. */
export interface Cost {
  /** A multiply-add is two. */
  readonly flops: number;
  /** That must be moved at least: each operand read once in every pass that cannot be avoided, each result written. */
  readonly bytes: number;
}

/** How each library does the work; a library that cannot is left out. */
export type Entries = { readonly tailray: Entry<'tailray'> } & { readonly [W in Peer]?: Entry<W> };

export type Entry<W extends Who> = (host: Hosts[W]) => Promise<Entrant>;

/** A library that is ready to do the work. */
export interface Entrant {
  /**
   * Does the work `repeats` times and resolves when all of it is done: from ordinary tensors on the device to ordinary
   * tensors on the device.
   */
  round(repeats: number): Promise<void>;
  /** Where not the time of a round is what counts: the milliseconds that count of the last round. */
  counted?(): number;
  /** What the first `round(1)` gave, in tailray's layouts; asked for right after it. */
  results(): Promise<readonly Float32Array[]>;
  /** Most memory of tensors at any time of the work, operands included; null where the library does not tell. */
  readonly peakBytes: number | null;
  /** Of work whose cost nobody can write down beforehand, such as a whole training step: op by op. */
  readonly costs?: readonly Cost[];
  dispose(): void | Promise<void>;
}

/** A tensor that goes into a workload or comes out. */
export interface TensorForm {
  /** In tailray's layout. */
  readonly shape: Shape;
  /** How the other libraries lay it out: `image` NHWC ↔ NCHW, `filter` HWIO ↔ OIHW; the same everywhere when absent. */
  readonly layout?: 'image' | 'filter';
  /** Uniform in [−1, 1) when absent; `labels`: 1 with a probability of 5 %, else 0. */
  readonly fill?: 'uniform' | 'labels' | 'ones' | 'zeros';
}

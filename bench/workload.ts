import type { JaxHost } from './contenders/jax.js';
import type { OnnxHost } from './contenders/onnx.js';
import type { PytorchHost } from './contenders/pytorch.js';
import type { TailrayHost } from './contenders/tailray.js';
import type { TfjsHost } from './contenders/tfjs.js';
import type { Cost, Entrant } from './entrant.js';

/**
 * What is measured: a piece of work that several libraries do from the same numbers. A workload is a declaration; how a
 * library is loaded, fed and waited for is in contenders/.
 */

/**
 * The libraries, in the order in which the table shows them. `tailray-f16` is tailray in mixed precision: large tensors
 * are stored as f16, kernels compute in f32. `tailray-unfused` is tailray without the kernel that does the work in one go:
 * the same from its plain ops.
 */
export const CONTENDERS = [
  'tailray',
  'tailray-f16',
  'tailray-unfused',
  'tfjs-webgpu',
  'jax-js',
  'onnxruntime-cpu',
  'pytorch-cpu',
  'pytorch-cuda',
] as const;
export type Who = (typeof CONTENDERS)[number];
export type Peer = Exclude<Who, 'tailray'>;

/** What a library needs to take part, opened once a run. */
export interface Hosts {
  readonly tailray: TailrayHost;
  readonly 'tailray-f16': TailrayHost;
  readonly 'tailray-unfused': TailrayHost;
  readonly 'tfjs-webgpu': TfjsHost;
  readonly 'jax-js': JaxHost;
  readonly 'onnxruntime-cpu': OnnxHost;
  readonly 'pytorch-cpu': PytorchHost;
  readonly 'pytorch-cuda': PytorchHost;
}

/** `step`: forward, backward and whatever belongs to a step of training. */
export type Direction = 'forward' | 'dX' | 'dW' | 'step';

export interface Workload {
  /** Unique together with `direction`. */
  readonly name: string;
  readonly direction: Direction;
  /** For people. */
  readonly shape: string;
  /** What the name and the shape leave open: a network's stem, loss and optimizer, or where a shape was published. */
  readonly settings?: string;
  /** What the work takes; absent: the sum of the plan of tailray's program, see `Entrant.costs`. */
  readonly cost?: Cost;
  /** Who is left out on software adapters, since the work takes minutes there. */
  readonly onlyOnGpu?: 'everybody' | readonly Peer[];
  /** Largest difference from tailray's results that counts as agreement, see agreement.ts; 1e-3 when absent. */
  readonly tolerance?: number;
  readonly entries: Entries;
}

/** How each library does the work; a library that cannot is left out. */
export type Entries = { readonly tailray: Entry<'tailray'> } & { readonly [W in Peer]?: Entry<W> };

export type Entry<W extends Who> = (host: Hosts[W]) => Promise<Entrant>;

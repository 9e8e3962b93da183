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
 * The libraries, in the order in which the table shows them. `tailray-unfused` is tailray without the kernel that does the
 * work in one go: the same from its plain ops.
 */
export const CONTENDERS = [
  'tailray',
  'tailray-unfused',
  'tfjs-webgpu',
  'jax-js',
  'onnxruntime-cpu',
  'pytorch-cpu',
] as const;
export type Who = (typeof CONTENDERS)[number];
export type Peer = Exclude<Who, 'tailray'>;

/** What a library needs to take part, opened once a run. */
export interface Hosts {
  readonly tailray: TailrayHost;
  readonly 'tailray-unfused': TailrayHost;
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

/** How each library does the work; a library that cannot is left out. */
export type Entries = { readonly tailray: Entry<'tailray'> } & { readonly [W in Peer]?: Entry<W> };

export type Entry<W extends Who> = (host: Hosts[W]) => Promise<Entrant>;

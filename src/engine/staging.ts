/**
 * Memory that the host can read, lent for one read-back each. Small buffers are kept for the next one: a step that reads
 * a few scalars should allocate nothing.
 */
export class Staging {
  readonly #gpu: GPUDevice;
  readonly #free: GPUBuffer[] = [];

  constructor(gpu: GPUDevice) {
    this.#gpu = gpu;
  }

  take(label: string, bytes: number): Lent {
    const size = roomFor(bytes);
    const at = this.#free.findIndex((buffer) => buffer.size === size);
    const [kept] = at < 0 ? [] : this.#free.splice(at, 1);
    if (kept) return { buffer: kept, shortage: Promise.resolve(null) };
    this.#gpu.pushErrorScope('out-of-memory');
    const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
    const buffer = this.#gpu.createBuffer({ label, size, usage });
    const shortage = this.#gpu.popErrorScope();
    // asked for where the read-back fails; until then the loss of the device must not count as unhandled
    shortage.catch(() => undefined);
    return { buffer, shortage };
  }

  /** To be called once it was read and is unmapped. */
  giveBack({ buffer }: Lent): void {
    if (buffer.size <= LARGEST_KEPT && this.#free.length < MOST_KEPT) this.#free.push(buffer);
    else buffer.destroy();
  }
}

export interface Lent {
  readonly buffer: GPUBuffer;
  /** Why it has no memory; null where it has. */
  readonly shortage: Promise<GPUError | null>;
}

const SMALLEST_ROOM = 256;
const LARGEST_KEPT = 2 ** 20;
const MOST_KEPT = 16;

/** Powers of two up to the largest that is kept, so that one buffer serves similar read-backs. */
function roomFor(bytes: number): number {
  if (bytes > LARGEST_KEPT) return Math.ceil(bytes / 4) * 4;
  return Math.max(SMALLEST_ROOM, 2 ** Math.ceil(Math.log2(bytes)));
}

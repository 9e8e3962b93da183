import { Worker } from 'node:worker_threads';
import { askThread, ThreadEnd } from '../../threads/ask-thread.js';

/**
 * Codecs in WebAssembly, in threads of their own: they can't be interrupted otherwise, and damaged code streams of a few
 * hundred bytes keep CharLS busy for half a minute. Besides, a large picture takes seconds, in which the program goes on.
 */

/** A package's script, its WebAssembly, and the class in it that decodes. */
export interface Codec {
  readonly script: string;
  readonly wasm: string;
  readonly className: string;
}

/** What a codec made of a code stream. */
export interface Decoded {
  readonly width: number;
  readonly height: number;
  readonly components: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Lines that it printed: where OpenJPEG reports errors. */
  readonly printed: readonly string[];
}

type Answer = { readonly decoded: Decoded; readonly memory: number } | { readonly decoded: null };

/** A thread's memory grows and never shrinks; one that has grown beyond this is given up after its picture. */
const KEPT_BYTES = 128 * 2 ** 20;

const idle = new Map<Codec, Worker[]>();

/**
 * Decodes in a thread that waits for work, or a new one: as many run as pictures are decoded at once.
 * @returns null where the codec gives up; 'late' after `seconds`
 */
export async function decodeInThread(
  codec: Codec,
  bytes: Uint8Array,
  seconds: number,
): Promise<Decoded | null | 'late'> {
  const worker = idle.get(codec)?.pop() ?? new Worker(PROGRAM, { eval: true, workerData: codec });
  // what is handed over is lost here, and a Buffer's slice is no copy
  const copy = new Uint8Array(bytes);
  const answer = await askThread({
    worker,
    message: copy,
    transfer: [copy.buffer],
    answerOf: (message) => message as Answer,
    seconds,
  }).catch((error: unknown): Answer => {
    if (error instanceof ThreadEnd && error.cause === undefined) return { decoded: null };
    throw error;
  });
  if (answer === 'late' || answer.decoded === null || answer.memory > KEPT_BYTES) {
    // after an error the codec may be in any state
    await worker.terminate();
  } else {
    idle.set(codec, [...(idle.get(codec) ?? []), worker]);
  }
  return answer === 'late' ? answer : answer.decoded;
}

/**
 * What a thread runs, as text, so that it runs from sources and from the build alike. The WebAssembly is handed over,
 * because the packages look for it in ways that bundles break; printing would go to the terminal.
 */
const PROGRAM = `
const { readFileSync } = require('node:fs');
const { parentPort, workerData: { script, wasm, className } } = require('node:worker_threads');
let printed = [];
const print = (line) => { if (printed.length < 20) printed.push(String(line)); };
const ready = require(script)({ wasmBinary: readFileSync(wasm), print, printErr: print });
parentPort.on('message', async (stream) => {
  const module = await ready;
  printed = [];
  try {
    const decoder = new module[className]();
    decoder.getEncodedBuffer(stream.length).set(stream);
    decoder.decode();
    const { width, height, componentCount } = decoder.getFrameInfo();
    const bytes = new Uint8Array(decoder.getDecodedBuffer());
    decoder.delete();
    const decoded = { width, height, components: componentCount, bytes, printed };
    parentPort.postMessage({ decoded, memory: module.HEAPU8.length }, [bytes.buffer]);
  } catch {
    parentPort.postMessage({ decoded: null });
  }
});
`;

import type { FileHandle } from 'node:fs/promises';
import { openRegularFile } from '../../storage/regular-file.js';
import { TorchFileError } from './torch-file-error.js';

/** Bytes that are read in pieces: files of weights are larger than what should be in memory at once. */
export interface ByteSource {
  readonly size: number;
  /** Fills `target` with the bytes from `position` on. @throws TorchFileError where the source has no such bytes */
  read(position: number, target: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** Operating systems read at most 2 GiB at a time. */
const MAX_READ = 2 ** 30;

/** @throws RegularFileError where the file can't be opened, or is none */
export async function openFileSource(path: string): Promise<ByteSource> {
  const handle = await openRegularFile(path);
  try {
    const { size } = await handle.stat();
    return {
      size,
      read: (position, target) => readFully(handle, size, position, target),
      close: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

export function bytesSource(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    async read(position, target) {
      requireInside(bytes.length, position, target.length);
      target.set(bytes.subarray(position, position + target.length));
    },
    async close() {},
  };
}

async function readFully(
  handle: FileHandle,
  size: number,
  position: number,
  target: Uint8Array,
): Promise<void> {
  requireInside(size, position, target.length);
  for (let done = 0; done < target.length; ) {
    const { bytesRead } = await handle.read(
      target,
      done,
      Math.min(target.length - done, MAX_READ),
      position + done,
    );
    if (bytesRead === 0)
      throw new TorchFileError('damaged', `it ended at byte ${position + done} while read.`);
    done += bytesRead;
  }
}

/** Positions come from the file. Node's own reading functions take numbers beyond 2⁵³ for a mistake of the program. */
function requireInside(size: number, position: number, length: number): void {
  if (Number.isSafeInteger(position) && position >= 0 && position + length <= size) return;
  throw new TorchFileError(
    'damaged',
    `it says that something lies at bytes ${position} to ${position + length}, but it has ${size}: it was cut short or changed.`,
  );
}

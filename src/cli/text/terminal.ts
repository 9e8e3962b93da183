import { visibleText } from '../../storage/visible-text.js';

/**
 * From now on a stream shows control and bidirectional characters by their numbers, whoever writes to it: names from
 * tables and files reach a terminal from everywhere, and commands write none of their own. Not for the stream of progress
 * bars, which move the cursor.
 */
export function showHiddenCharacters(stream: NodeJS.WriteStream): void {
  // its forms differ in what may follow, which is handed on as it is
  const write = stream.write.bind(stream) as (chunk: string | Uint8Array, ...rest: unknown[]) => boolean;
  stream.write = (chunk: string | Uint8Array, ...rest: unknown[]) =>
    write(typeof chunk === 'string' ? visibleText(chunk) : chunk, ...rest);
}

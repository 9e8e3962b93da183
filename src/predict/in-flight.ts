/** Batches that a device has been given and that are not read: it computes one while the next is prepared and uploaded. */
const AHEAD = 2;

/**
 * What `work` makes of each item, in their order, with the work of some items begun before that of the first is done. Work
 * that puts a device to use submits what it has before it waits; the device does it in the order of the submits.
 * @throws what the first item that fails throws, once all that was begun has come to rest
 */
export async function* inFlight<Item, Result>(
  items: AsyncIterable<Item> | Iterable<Item>,
  work: (item: Item) => Promise<Result>,
): AsyncGenerator<Result, void, undefined> {
  const begun: Promise<Result>[] = [];
  try {
    for await (const item of items) {
      const result = work(item);
      // awaited in its turn; until then a failure must not count as unhandled
      result.catch(() => undefined);
      begun.push(result);
      const [first] = begun;
      if (first && begun.length > AHEAD) {
        yield await first;
        begun.shift();
      }
    }
    for (const result of begun) yield await result;
  } finally {
    await Promise.allSettled(begun);
  }
}

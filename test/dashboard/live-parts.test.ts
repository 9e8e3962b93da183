import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { expect, onTestFinished, test, vi } from 'vitest';
import { LiveParts, type LivePartsOptions } from '../../src/dashboard/live-parts.js';
import { Stream } from './asking.js';

/** Parts, and a server that hands out nothing else. */
async function serve(options?: LivePartsOptions) {
  const parts = new LiveParts(options);
  const responses: ServerResponse[] = [];
  const server = createServer((request, response) => {
    const seen = request.headers['last-event-id'];
    if (parts.attach(response, seen === undefined ? undefined : String(seen))) responses.push(response);
    else response.writeHead(503).end();
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  onTestFinished(async () => {
    await parts.close();
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const browser = { page: `http://127.0.0.1:${port}/`, cookie: '', own: {} };
  return { parts, responses, port, open: (last?: string) => Stream.open(browser, last) };
}

const names = ({ events }: Stream) => events.map(({ name, content }) => `${name} ${content}`);

test('a browser gets what there is, then what changes, in order and once', async () => {
  const { parts, open } = await serve();
  parts.set('a', '1');
  parts.set('b', '1');
  const stream = await open();
  await vi.waitFor(() => expect(names(stream)).toEqual(['a 1', 'b 1']));
  parts.set('a', '2');
  parts.set('b', '1');
  parts.push();
  parts.push();
  await vi.waitFor(() => expect(names(stream)).toEqual(['a 1', 'b 1', 'a 2']));
  expect(new Set(stream.events.map(({ id }) => id)).size).toBe(3);
  stream.close();
  await vi.waitFor(() => expect(parts.readers).toBe(0));
});

test('one that comes back gets what it missed; one of another process gets all', async () => {
  const { parts, open } = await serve();
  for (const name of ['a', 'b', 'c']) parts.set(name, '1');
  const first = await open();
  await vi.waitFor(() => expect(first.events).toHaveLength(3));
  first.close();
  parts.set('b', '2');
  parts.set('d', '1');
  const again = await open(first.events.at(-1)?.id);
  await vi.waitFor(() => expect(names(again)).toEqual(['b 2', 'd 1']));
  for (const foreign of ['another.3', '3', '', 'x.y', '<']) {
    const stranger = await open(foreign);
    await vi.waitFor(() => expect(names(stranger)).toEqual(['a 1', 'c 1', 'b 2', 'd 1']));
    stranger.close();
  }
  again.close();
});

test('a browser that does not read holds one state, however many there are, and then gets the last', async () => {
  const { parts, responses, port, open } = await serve();
  const other = await open();
  const socket = connect(port, '127.0.0.1');
  socket.pause();
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await vi.waitFor(() => expect(parts.readers).toBe(2));
  const [, slow] = responses;
  const size = 200_000;
  let most = 0;
  // far more than a socket holds
  for (let i = 1; i <= 200; i++) {
    parts.set('a', `${'x'.repeat(size)} ${i}`);
    parts.push();
    most = Math.max(most, slow!.writableLength);
    if (i % 20 === 0) await new Promise((done) => setTimeout(done, 5));
  }
  expect(most).toBeGreaterThan(size);
  expect(most).toBeLessThan(2.5 * size);
  // nobody else waits for it
  await vi.waitFor(() => expect(other.last('a')).toMatch(/ 200$/));
  let text = '';
  socket.on('data', (chunk) => {
    text = (text + chunk).slice(-100);
  });
  socket.resume();
  await vi.waitFor(() => expect(text).toContain('x 200"}'));
  socket.destroy();
  other.close();
});

test('one that takes nothing is dropped; one that is only idle is not', async () => {
  const { parts, port, open } = await serve({ heartbeat: 50, stalled: 300 });
  const idle = await open();
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.pause();
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await vi.waitFor(() => expect(parts.readers).toBe(2));
  for (let i = 0; i < 100; i++) {
    parts.set('a', `${'x'.repeat(200_000)} ${i}`);
    parts.push();
    await new Promise((done) => setTimeout(done, 1));
  }
  await vi.waitFor(() => expect(parts.readers).toBe(1), { timeout: 5000 });
  await new Promise((done) => setTimeout(done, 500));
  expect(idle.ended).toBe(false);
  expect(parts.readers).toBe(1);
  idle.close();
  socket.destroy();
});

test('there is room for some, and not for any number', async () => {
  const { open } = await serve();
  const streams = await Promise.all(Array.from({ length: 16 }, () => open()));
  await expect(open()).rejects.toThrow('503');
  streams[0]!.close();
  await vi.waitFor(async () => (await open()).close());
  for (const stream of streams) stream.close();
});

test('the end comes with the last news, and waits for nobody', async () => {
  const { parts, port, open } = await serve();
  const stream = await open();
  const deaf = connect(port, '127.0.0.1');
  deaf.on('error', () => {});
  deaf.pause();
  deaf.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await vi.waitFor(() => expect(parts.readers).toBe(2));
  parts.set('a', 'x'.repeat(8_000_000));
  parts.set('b', 'the end');
  const start = performance.now();
  await parts.close();
  expect(performance.now() - start).toBeLessThan(5000);
  await vi.waitFor(() => expect(stream.ended).toBe(true));
  expect(stream.last('b')).toBe('the end');
  deaf.destroy();
});

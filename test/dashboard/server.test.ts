import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { Dashboard, type DashboardOptions } from '../../src/dashboard/dashboard.js';
import { RunDirectory } from '../../src/train/run/run-directory.js';
import { temporaryFolder } from '../data/temporary-folder.js';
import { tinyRecipe } from '../train/run/tiny-run.js';
import { ask, open, Stream } from './asking.js';

/** Who is let in, who is not, and what every answer says; by plain HTTP, as a browser and as somebody else would ask. */

async function dashboard(options: Partial<DashboardOptions> = {}) {
  const said: string[] = [];
  const made = await Dashboard.open({
    run: new RunDirectory(join(await temporaryFolder(), 'run')),
    recipe: tinyRecipe(),
    resume: false,
    port: 0,
    stop: () => {},
    say: (text) => said.push(text),
    ...options,
  });
  onTestFinished(() => made.end('stopped', 'the test is over'));
  return { made, said, origin: new URL(made.address).origin };
}

test('a token opens one session, and is worth nothing afterwards', async () => {
  const { made, said, origin } = await dashboard();
  const { address } = made;
  expect(said).toEqual([`dashboard  ${address} (works once)`]);
  const first = await ask(address);
  expect(first.status).toBe(303);
  const [cookie = ''] = first.headers['set-cookie'] ?? [];
  expect(cookie).toMatch(/^session=[\w-]{43}; Path=\/[\w-]{24}\/; Max-Age=\d+; HttpOnly; SameSite=Strict$/);
  expect(first.headers.location).toBe(/Path=([^;]+)/.exec(cookie)?.[1]);
  expect((await ask(address)).status).toBe(403);
  // the next browser has a token of its own
  expect(made.address).not.toBe(address);
  expect(said.at(-1)).toContain(made.address);
  expect((await ask(made.address)).status).toBe(303);
  for (const wrong of ['', '?token=', '?token=x', `?token=${'A'.repeat(43)}`]) {
    expect((await ask(`${origin}/${wrong}`)).status, wrong).toBe(403);
  }
  expect((await ask(made.address, { method: 'POST' })).status).toBe(403);
});

test('nothing is told without a session', async () => {
  const { made, origin } = await dashboard();
  const { page, cookie } = await open(made.address);
  expect((await ask(page, { headers: { cookie } })).status).toBe(200);
  for (const name of ['', 'events', 'style.css', 'live.mjs', 'icon.svg', 'images/1-0.png', 'nothing']) {
    expect((await ask(page + name)).status, name).toBe(403);
    const forged = { cookie: `session=${'A'.repeat(43)}` };
    expect((await ask(page + name, { headers: forged })).status, name).toBe(403);
  }
  // the right cookie on the wrong path
  expect((await ask(`${origin}/elsewhere/`, { headers: { cookie } })).status).toBe(403);
  expect((await ask(`${page}nothing`, { headers: { cookie } })).status).toBe(404);
  expect((await ask(`${page}../../package.json`, { headers: { cookie } })).status).toBe(403);
  expect((await ask(`${page}%2e%2e/package.json`, { headers: { cookie } })).status).toBe(403);
  expect((await ask(page, { method: 'DELETE', headers: { cookie } })).status).toBe(405);
});

test('a foreign Host is refused, be it right in all else', async () => {
  const { made } = await dashboard();
  const { page, cookie } = await open(made.address);
  const { port } = new URL(page);
  const status = async (host: string) => (await ask(page, { headers: { cookie, host } })).status;
  for (const host of [
    'evil.example',
    `evil.example:${port}`,
    '127.0.0.1.evil.example',
    '10.0.0.1',
    '[::1]',
  ]) {
    expect(await status(host), host).toBe(403);
  }
  const { address } = made;
  expect((await ask(address, { headers: { host: 'evil.example' } })).status).toBe(403);
  expect(made.address).toBe(address);
  // of a tunnel
  for (const host of ['localhost:1234', '127.0.0.1:1234', 'localhost'])
    expect(await status(host), host).toBe(200);
});

test('a foreign Origin is refused, and what is embedded elsewhere', async () => {
  const { made, origin } = await dashboard();
  const { page, cookie } = await open(made.address);
  const status = async (headers: Record<string, string>) =>
    (await ask(page, { headers: { cookie, ...headers } })).status;
  for (const foreign of [
    'http://evil.example',
    'null',
    'http://127.0.0.1:1',
    origin.replace('http', 'https'),
  ]) {
    expect(await status({ origin: foreign }), foreign).toBe(403);
  }
  expect(await status({ origin })).toBe(200);
  expect(await status({ 'sec-fetch-site': 'same-origin' })).toBe(200);
  for (const site of ['cross-site', 'same-site']) expect(await status({ 'sec-fetch-site': site })).toBe(403);
});

test('every answer brings the policy: own files only, no frames, no guessing of types', async () => {
  const { made, origin } = await dashboard();
  const { page, cookie } = await open(made.address);
  const answers = [
    await ask(`${origin}/`),
    await ask(made.address),
    await ask(page, { headers: { cookie } }),
    await ask(`${page}live.mjs`, { headers: { cookie } }),
    await ask(page, { headers: { host: 'evil.example' } }),
  ];
  for (const { headers } of answers) {
    const policy = headers['content-security-policy'] ?? '';
    const rules = new Map(
      String(policy)
        .split('; ')
        .map((rule) => rule.split(/ (.*)/) as [string, string]),
    );
    expect(rules.get('default-src')).toBe("'none'");
    expect(rules.get('script-src')).toBe("'self'");
    expect(rules.get('style-src')).toMatch(/^'self' 'unsafe-hashes' 'sha256-[\w+/]{43}='$/);
    for (const name of ['base-uri', 'form-action', 'frame-ancestors']) expect(rules.get(name)).toBe("'none'");
    expect(policy).not.toMatch(/unsafe-inline|unsafe-eval|\*|http/);
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'cross-origin-resource-policy': 'same-origin',
      'cache-control': 'no-store',
    });
    expect(headers['access-control-allow-origin']).toBeUndefined();
  }
});

test('only the page itself may press a button', async () => {
  const stop = vi.fn();
  const { made } = await dashboard({ stop });
  const { page, cookie, own } = await open(made.address);
  const other = await open(made.address);
  const post = async (name: string, headers: Record<string, string>) =>
    (await ask(page + name, { method: 'POST', headers })).status;
  const { origin, 'x-tailray-request': key = '' } = own as Record<string, string>;
  expect(await post('stop', { cookie })).toBe(403);
  expect(await post('stop', { cookie, origin: origin! })).toBe(403);
  expect(await post('stop', { cookie, 'x-tailray-request': key })).toBe(403);
  expect(await post('stop', { ...own, 'x-tailray-request': other.own['x-tailray-request']! })).toBe(403);
  expect(await post('stop', { origin: origin!, 'x-tailray-request': key })).toBe(403);
  expect(await post('nothing', { ...own })).toBe(404);
  expect(await post('', { ...own })).toBe(404);
  expect((await ask(`${page}stop`, { headers: { ...own } })).status).toBe(404);
  // nothing runs yet that could be stopped
  expect(await post('stop', { ...own })).toBe(202);
  expect(stop).not.toHaveBeenCalled();
});

test('a port in use, or refused, is no reason not to train', async () => {
  const taken: Server = createServer();
  await new Promise<void>((done) => taken.listen(0, '127.0.0.1', done));
  onTestFinished(() => void taken.close());
  const { port } = taken.address() as AddressInfo;
  const { made, said } = await dashboard({ port });
  const free = new URL(made.address).port;
  expect(said[0]).toBe(`dashboard  port ${port} is in use, so it is at port ${free}.`);
  expect((await ask(made.address)).status).toBe(303);
});

test('no other interface answers', async () => {
  const { made } = await dashboard();
  const { port } = new URL(made.address);
  const others = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ family, internal }) => family === 'IPv4' && !internal);
  for (const { address } of [...others, { address: '127.0.0.2' }]) {
    await expect(ask(`http://${address}:${port}/`), address).rejects.toThrow(/ECONNREFUSED/);
  }
});

test('what was remembered and is damaged is forgotten', async () => {
  for (const content of ['', '{', '{"port":0,"id":"x","sessions":[]}', '[]']) {
    const run = new RunDirectory(await temporaryFolder({ '.dashboard.json': content }));
    const { made } = await dashboard({ run, resume: true });
    expect((await ask(made.address)).status).toBe(303);
  }
});

test('news are text, whatever they say', async () => {
  const { made } = await dashboard();
  const known = await open(made.address);
  const stream = await Stream.open(known);
  await made.hear({ kind: 'note', note: '<script>alert(1)</script><img src=x onerror=alert(1)>\u202e' });
  await vi.waitFor(() => expect(stream.last('notes')).toContain('&lt;script&gt;alert(1)'));
  expect(stream.last('notes')).not.toMatch(/<script|<img|\u202e/);
  stream.close();
});

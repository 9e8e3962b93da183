import { lstat, mkdir, readdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { HubError } from '../../src/hub/hub-error.js';
import { HubRepository } from '../../src/hub/hub-repository.js';
import type { HubOptions, HubProgress } from '../../src/hub/hub-settings.js';
import { FakeHub, sha256 } from './fake-hub.js';

const weights = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 31) >> 3);
const config = '{"architecture": "resnet10"}';
const FILES = { 'model.safetensors': weights, 'config.json': config };
const NAME = 'model.safetensors';

const open = (hub: FakeHub, options: HubOptions = {}, revision = 'main') =>
  HubRepository.open({ repo: hub.repo, revision }, options);

async function refusal(promise: Promise<unknown>): Promise<HubError> {
  const error = await promise.then(
    () => expect.fail('it came'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(HubError);
  return error as HubError;
}

const entries = (folder: string) => readdir(folder).catch(() => []);

describe('a file', () => {
  test('comes once, into the cache that Hugging Face’s libraries share', async () => {
    const hub = await FakeHub.start();
    const commit = hub.commit(FILES);
    const repository = await open(hub);
    const path = await repository.file(NAME);
    expect(path).toBe(join(hub.cache, 'snapshots', commit, NAME));
    expect(new Uint8Array(await readFile(path))).toEqual(weights);
    expect(await readlink(path)).toBe(`../../blobs/${sha256(weights)}`);
    expect(await readFile(join(hub.cache, 'refs/main'), 'utf8')).toBe(commit);
    expect(await readFile(await repository.file('config.json'), 'utf8')).toBe(config);
    expect(await entries(join(hub.cache, 'blobs'))).toHaveLength(2);
    hub.asked();

    // a branch is looked up again, a commit is not
    expect(await (await open(hub)).file(NAME)).toBe(path);
    expect(hub.asked()).toEqual(['GET revision']);
    expect(await (await open(hub, {}, commit)).file(NAME)).toBe(path);
    expect(hub.asked()).toEqual([]);
  });

  test('of the same content in another commit is not downloaded again', async () => {
    const hub = await FakeHub.start();
    hub.commit(FILES);
    await (await open(hub)).file(NAME);
    const next = hub.commit({ ...FILES, 'config.json': '{}' });
    hub.asked();
    expect(await (await open(hub)).file(NAME)).toBe(join(hub.cache, 'snapshots', next, NAME));
    expect(hub.asked()).toEqual(['GET revision', 'POST paths-info']);
  });

  test('all files are of one commit, also when the branch moves in between', async () => {
    const hub = await FakeHub.start();
    const commit = hub.commit(FILES);
    const repository = await open(hub);
    await repository.file('config.json');
    hub.commit({ ...FILES, [NAME]: new Uint8Array(10) });
    expect(await repository.file(NAME)).toContain(commit);
  });

  test('tells its progress', async () => {
    const hub = await FakeHub.start();
    hub.commit(FILES);
    const seen: HubProgress[] = [];
    await (await open(hub, { onProgress: (progress) => void seen.push(progress) })).file(NAME);
    expect(seen[0]).toEqual({ file: NAME, done: 0, total: weights.length });
    expect(seen.at(-1)).toEqual({ file: NAME, done: weights.length, total: weights.length });
    expect(seen.every(({ done }, i) => done >= (seen[i - 1]?.done ?? 0))).toBe(true);
  });

  test('in a folder, in a tag', async () => {
    const hub = await FakeHub.start();
    const commit = hub.commit({ 'onnx/model.safetensors': weights });
    hub.branches.set('v1.0', commit);
    hub.branches.set('refs/pr/7', commit);
    for (const revision of ['v1.0', 'refs/pr/7']) {
      expect(await (await open(hub, {}, revision)).file('onnx/model.safetensors')).toContain(commit);
      expect(await readFile(join(hub.cache, 'refs', revision), 'utf8')).toBe(commit);
    }
  });

  test('wanted twice at the same time, arrives whole', async () => {
    const hub = await FakeHub.start();
    hub.commit(FILES);
    const paths = await Promise.all([1, 2, 3].map(async () => (await open(hub)).file(NAME)));
    expect(new Set(paths).size).toBe(1);
    expect(new Uint8Array(await readFile(paths[0]!))).toEqual(weights);
    expect(await entries(join(hub.cache, 'blobs'))).toEqual([sha256(weights)]);
  });
});

describe('bytes that are not those the hub speaks of', () => {
  test.each([
    [NAME, 'changed', (sent: Uint8Array) => sent.map((byte, i) => (i === 7 ? byte ^ 1 : byte))],
    ['config.json', 'changed', (sent: Uint8Array) => sent.map((byte, i) => (i === 7 ? byte ^ 1 : byte))],
  ])('%s, %s: refused, and nothing of it stays', async (name, _, change) => {
    const hub = await FakeHub.start();
    const commit = hub.commit(FILES);
    hub.onSend = (sent) => ({ send: change(sent) });
    const { kind, message } = await refusal((await open(hub)).file(name));
    expect(kind).toBe('damaged');
    expect(message).toMatch(/^timm\/tiny@main: .* is not what the hub says it has \(digest .*It was removed/);
    expect(await entries(join(hub.cache, 'blobs'))).toEqual([]);
    await expect(lstat(join(hub.cache, 'snapshots', commit, name))).rejects.toThrow(/ENOENT/);
    // and the next attempt is not misled by it
    hub.onSend = (send) => ({ send });
    expect(await (await open(hub)).file(name)).toContain(commit);
  });

  test('a hub that tells no digest is not believed', async () => {
    const hub = await FakeHub.start();
    hub.commit(FILES);
    for (const digest of [undefined, '', '../../../../etc/passwd', 'a'.repeat(40)]) {
      hub.tell = () => digest;
      expect((await refusal((await open(hub)).file(NAME))).message).toMatch(/the hub tells no digest/);
    }
  });

  test('a file that changed in the cache is not used', async () => {
    const hub = await FakeHub.start();
    hub.commit(FILES);
    const path = await (await open(hub)).file(NAME);
    await writeFile(path, weights.subarray(0, 1000));
    const { kind, message } = await refusal((await open(hub, { offline: true })).file(NAME));
    expect(kind).toBe('damaged');
    expect(message).toContain(join(hub.cache, 'blobs', sha256(weights)));
  });
});

describe('a connection that breaks', () => {
  test('is taken up where it broke', async () => {
    const hub = await FakeHub.start();
    hub.commit(FILES);
    let breaks = 2;
    hub.onSend = (send, path) =>
      path === NAME && breaks-- > 0 ? { send: send.subarray(0, 70_000), hangUp: true } : { send };
    const path = await (await open(hub)).file(NAME);
    expect(new Uint8Array(await readFile(path))).toEqual(weights);
    const ranges = hub.asked().filter((what) => what.startsWith('store') && !what.endsWith('bytes=0-0'));
    expect(ranges).toHaveLength(3);
    expect(ranges[0]).toBe(`store ${NAME}`);
    for (const range of ranges.slice(1))
      expect(range).toMatch(/^store model\.safetensors bytes=[1-9]\d*-299999$/);
  });

  test('again and again without a byte, is given up', { timeout: 20_000 }, async () => {
    const hub = await FakeHub.start();
    hub.commit(FILES);
    hub.onSend = () => ({ send: new Uint8Array(), hangUp: true });
    const { kind, message } = await refusal((await open(hub)).file(NAME));
    expect(kind).toBe('unreachable');
    expect(message).toMatch(/model\.safetensors: the connection broke 4 times/);
    expect(await entries(join(hub.cache, 'blobs'))).toEqual([]);
  });

  test('a hub that is not there: its address, and what helps', async () => {
    const hub = await FakeHub.start();
    await hub.stop();
    const { kind, message } = await refusal((await open(hub)).file(NAME));
    expect(kind).toBe('unreachable');
    expect(message).toMatch(
      /can't be reached \(.*ECONNREFUSED.*\)\. HF_ENDPOINT names a mirror; --offline takes/,
    );
    expect(message).toContain(process.env.HF_ENDPOINT);
  });

  test('what is in the cache is used then, and that is said', async () => {
    const hub = await FakeHub.start();
    const commit = hub.commit(FILES);
    const path = await (await open(hub)).file(NAME);
    await hub.stop();
    const repository = await open(hub);
    expect(await repository.file(NAME)).toBe(path);
    expect(repository.notes).toEqual([expect.stringContaining(`as main was last seen, commit ${commit}`)]);
  });
});

describe('offline', () => {
  test.each([
    ['--offline', { offline: true }, ''],
    ['HF_HUB_OFFLINE=1', {}, '1'],
    ['HF_HUB_OFFLINE=TRUE', {}, 'TRUE'],
  ])('%s: the cache alone answers', async (_, options, variable) => {
    const hub = await FakeHub.start();
    hub.commit(FILES);
    const path = await (await open(hub)).file(NAME);
    vi.stubEnv('HF_HUB_OFFLINE', variable);
    hub.asked();
    const repository = await open(hub, options);
    expect(await repository.file(NAME)).toBe(path);
    expect(await repository.optional('config.json')).toBeUndefined();
    const { kind, message } = await refusal(repository.file('config.json'));
    expect(kind).toBe('offline');
    expect(message).toMatch(
      /^timm\/tiny@main: config\.json is not in the cache .*\n {2}hf download timm\/tiny config\.json\n/,
    );
    expect(message).toContain(hub.cache);
    expect(hub.asked()).toEqual([]);
  });

  test('a repository or revision that was never fetched', async () => {
    const hub = await FakeHub.start();
    hub.commit(FILES);
    const { kind, message } = await refusal((await open(hub, { offline: true }, 'v2')).file(NAME));
    expect(kind).toBe('offline');
    expect(message).toMatch(/^timm\/tiny@v2 is not in the cache/);
    expect(message).toMatch(/hf download timm\/tiny --revision v2 config\.json model\.safetensors/);
  });

  test('what the Python library has put there is found', async () => {
    const hub = await FakeHub.start();
    const commit = '0123456789abcdef0123456789abcdef01234567';
    await mkdir(join(hub.cache, 'blobs'), { recursive: true });
    await mkdir(join(hub.cache, 'refs'), { recursive: true });
    await mkdir(join(hub.cache, 'snapshots', commit), { recursive: true });
    await writeFile(join(hub.cache, 'refs/main'), commit);
    await writeFile(join(hub.cache, 'blobs', sha256(weights)), weights);
    const link = join(hub.cache, 'snapshots', commit, NAME);
    await symlink(`../../blobs/${sha256(weights)}`, link);
    expect(await (await open(hub, { offline: true })).file(NAME)).toBe(link);
  });
});

describe('who asks', () => {
  test('a token goes to the hub and to nobody else', async () => {
    const hub = await FakeHub.start();
    hub.commit(FILES);
    // a mirror's own kind of token
    hub.token = 'jfrog-1234';
    vi.stubEnv('HF_TOKEN', ' jfrog-1234\n');
    await (await open(hub)).file(NAME);
    for (const { what, headers } of hub.requests) {
      expect(headers.authorization, what).toBe(what.startsWith('store') ? undefined : 'Bearer jfrog-1234');
    }
    expect(hub.requests.filter(({ what }) => what.startsWith('store'))).not.toHaveLength(0);
  });

  test.each([
    [undefined, /wants to know who asks \(401\).*private or gated: set HF_TOKEN/],
    ['hf_wrong', /wants to know who asks \(401\).*HF_TOKEN does not open it/],
  ])('with the token %s, a private repository stays closed', async (token, expected) => {
    const hub = await FakeHub.start();
    hub.commit(FILES);
    hub.token = 'hf_right';
    vi.stubEnv('HF_TOKEN', token);
    const { kind, message } = await refusal((await open(hub)).file(NAME));
    expect(kind).toBe('denied');
    expect(message).toMatch(expected);
    expect(message).not.toContain('hf_wrong');
  });
});

describe('what there is not', () => {
  test('a file: those that there are are named', async () => {
    const hub = await FakeHub.start();
    hub.commit(FILES);
    const { kind, message } = await refusal((await open(hub)).file('best.safetensors'));
    expect(kind).toBe('missing');
    expect(message).toMatch(
      /best\.safetensors: there is no such file\. There are model\.safetensors, config\.json\.$/,
    );
  });

  test('a revision', async () => {
    const hub = await FakeHub.start();
    hub.commit(FILES);
    const { kind, message } = await refusal((await open(hub, {}, 'v9')).file(NAME));
    expect(kind).toBe('missing');
    expect(message).toMatch(/timm\/tiny@v9: .*Invalid rev id: v9/);
  });

  test.each(['../x', '/etc/passwd', 'a/../../b', 'a\\b', 'C:x', 'a//b', '.'])(
    'a path such as %s',
    async (name) => {
      const hub = await FakeHub.start();
      hub.commit(FILES);
      expect((await refusal((await open(hub)).file(name))).kind).toBe('address');
      expect(hub.asked()).toEqual([]);
    },
  );
});

import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { zipSync } from 'fflate';
import { describe, expect, test } from 'vitest';
import { defineModel } from '../../src/models/model.js';
import { writeSafetensors } from '../../src/models/safetensors/safetensors.js';
import { readCheckpoint, readWeights } from '../../src/weights/checkpoint.js';
import { weightsFrom } from '../../src/weights/initial-weights.js';
import { conversionCommand } from '../../src/weights/pickle-file.js';
import { temporaryFolder } from '../data/temporary-folder.js';
import { f32, stateDict } from '../models/named-tensors.js';
import { goldenBytes, goldenPath, goldenTensors } from './torch-file/golden-torch-files.js';
import { dict, program, storage, tensor, torchZip } from './torch-file/torch-zip.js';

/** The first bytes of what torch.save wrote before 1.6: a pickled magic number. */
const legacy = Uint8Array.from(Buffer.from('80028a0a6cfc9c46f9206aa85019 2e8002'.replace(' ', ''), 'hex'));

describe('a bare pickle', () => {
  test.each([
    ['old.pt', legacy],
    ['renamed.safetensors', legacy],
    ['of PyTorch 1.13.pt', goldenBytes('legacy')],
    ['protocol4.bin', Uint8Array.of(0x80, 4, 0x95, 0, 0, 0, 0, 0, 0, 0, 0)],
  ])('%s is refused, by content, with the conversion to run', async (name, bytes) => {
    const folder = await temporaryFolder({ [name]: bytes });
    const path = join(folder, name);
    for (const read of [readWeights, readCheckpoint]) {
      const error: Error = await read(path).then(
        () => expect.fail('was read'),
        (reason) => reason,
      );
      expect(error).toMatchObject({ kind: 'pickle', path });
      expect(error.message).toContain(`python3 -c "import sys, torch; `);
      expect(error.message).toMatch(/ '?\/[^']*\.safetensors'?$/);
    }
  });

  test('a safetensors file is one, whatever it is called', async () => {
    const folder = await temporaryFolder({ 'w.bin': writeSafetensors([['a', f32([1], [2])]]) });
    expect((await readWeights(join(folder, 'w.bin'))).tensors.get('a')?.data).toEqual(Float32Array.of(2));
    const other = await temporaryFolder({
      'w.pth': zipSync({ 'a.npy': Uint8Array.of(1) }),
      'x.bin': 'hello',
      'empty.pt': '',
    });
    for (const name of ['w.pth', 'x.bin', 'empty.pt']) {
      await expect(readWeights(join(other, name))).rejects.toMatchObject({ kind: 'damaged' });
    }
    await expect(readWeights(other)).rejects.toMatchObject({
      kind: 'missing',
      message: expect.stringMatching(/: is a folder\.$/),
    });
  });

  test('the command quotes paths for a shell', () => {
    expect(conversionCommand("it's here/a b.pth", '/x/y.safetensors')).toMatch(
      / 'it'\\''s here\/a b\.pth' \/x\/y\.safetensors$/,
    );
  });

  test.skipIf(spawnSync('python3', ['-V']).error)(
    'the command is one that a shell and Python take',
    async () => {
      // stand-ins for torch and safetensors, which need not be installed, that record what is asked of them
      const folder = await temporaryFolder({
        'torch.py': `class T:
    def __init__(self, x): self.x = x
    def clone(self): return self
    def contiguous(self): return self
is_tensor = lambda v: isinstance(v, T)
def load(path, map_location, weights_only):
    assert map_location == 'cpu' and weights_only is True
    return {'epoch': 3, 'state_dict': {'module.a': T(path), 'step': 1}}
`,
        'safetensors/__init__.py': '',
        'safetensors/torch.py': `def save_file(tensors, path):
    open(path, 'w').write(' '.join(f'{k}={v.x}' for k, v in tensors.items()))
`,
      });
      const to = join(folder, "what's out.safetensors");
      const { status, stderr } = spawnSync('sh', ['-c', conversionCommand('in $x.pth', to)], {
        env: { ...process.env, PYTHONPATH: folder },
        encoding: 'utf8',
      });
      expect(stderr).toBe('');
      expect(status).toBe(0);
      expect(await readFile(to, 'utf8')).toBe('a=in $x.pth');
    },
  );
});

describe('a zip archive of torch.save', () => {
  test('is read, whatever it is called, and what was taken of it is noted', async () => {
    const folder = await temporaryFolder({ 'w.safetensors': goldenBytes('model-and-ema') });
    const { tensors, notes } = await readWeights(join(folder, 'w.safetensors'));
    expect(tensors).toEqual(goldenTensors('model-and-ema'));
    expect(notes).toEqual(['the tensors are those of model in the file, not ema.']);
  });

  test('is no checkpoint of ours', async () => {
    await expect(readCheckpoint(goldenPath('network'))).rejects.toMatchObject({ kind: 'foreign' });
  });

  test.each([
    ['refused', [0x63, ...Buffer.from('os\nsystem\n'), 0x2e], 'pickle', /asks for "os\.system" of Python/],
    ['broken', [0x80, 2, 0x2e], 'damaged', /is no whole file of PyTorch's: its pickle is broken at byte 3/],
  ])('%s: the file is named, and what to do', async (_, pickle, kind, message) => {
    const folder = await temporaryFolder({ 'w.pth': torchZip(pickle) });
    const path = join(folder, 'w.pth');
    const error = await readWeights(path).catch((reason: Error) => reason);
    expect(error).toMatchObject({ kind, path });
    expect((error as Error).message).toMatch(message);
  });

  test('starts a training: names are unwrapped, and all is noted', async () => {
    const definition = defineModel({ arch: 'resnet10', classes: 3, stem: 'small-stride2', width: 4 });
    const state = [...stateDict(definition)];
    const wrapped = program(
      dict([
        [
          'state_dict',
          dict(
            state.map(([name, { shape, data }], i) => {
              const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
              return [
                `module._orig_mod.${name}`,
                tensor({ storage: storage(String(i), data.length), shape, strides }),
              ];
            }),
          ),
        ],
        ['epoch', [0x4b, 3]],
      ]),
    );
    const storages = Object.fromEntries(
      state.map(([, { data }], i) => [i, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)]),
    );
    const folder = await temporaryFolder({
      'w.pth': torchZip(wrapped, storages),
      'w.safetensors': writeSafetensors(state),
    });
    const options = { head: 'keep', seed: 0 } as const;
    const taken = await weightsFrom(join(folder, 'w.pth'), definition, options);
    const expected = await weightsFrom(join(folder, 'w.safetensors'), definition, options);
    expect(taken.parameters).toEqual(expected.parameters);
    expect(taken.statistics).toEqual(expected.statistics);
    expect(taken.notes).toEqual([
      `weights from ${join(folder, 'w.pth')}.`,
      'the tensors are those of state_dict in the file.',
      'all tensors of the file are called module._orig_mod.…: that prefix is left out.',
    ]);
  });
});

describe('weights in several files', () => {
  const index = (map: Record<string, string>) =>
    JSON.stringify({ metadata: { total_size: 8 }, weight_map: map });
  const files = {
    'model-00001-of-00002.safetensors': writeSafetensors([['a', f32([1], [2])]]),
    'model-00002-of-00002.safetensors': writeSafetensors([['b', f32([1], [3])]]),
  };
  const [one, two] = Object.keys(files) as [string, string];
  const read = async (text: string, parts: Partial<typeof files> = files) =>
    readWeights(
      join(await temporaryFolder({ ...parts, 'm.safetensors.index.json': text }), 'm.safetensors.index.json'),
    );

  test('are read through their index', async () => {
    const { tensors } = await read(index({ a: one, b: two }));
    expect([...tensors].map(([name, { data }]) => [name, ...data])).toEqual([
      ['a', 2],
      ['b', 3],
    ]);
  });

  test.each([
    [
      'a tensor that no file has',
      index({ a: one, b: two, c: two }),
      /names 1 tensors that its files lack: c/,
    ],
    ['a tensor in another file', index({ a: one, b: one }), /lack: b/],
    [
      'a tensor that the index does not name',
      index({ b: two, c: one }),
      /does not say that tensor "a" is in/,
    ],
    [
      'a file outside the folder',
      index({ a: '../w.safetensors' }),
      /weight_map\.a: must be the name of a safetensors or \.bin file/,
    ],
    ['no JSON', '{', /not valid JSON/],
    ['no map', '{}', /no index of files of weights \(weight_map/],
  ])('%s', async (_, text, message) => {
    await expect(read(text)).rejects.toThrow(message);
  });

  test('may be PyTorch’s', async () => {
    const folder = await temporaryFolder({
      'pytorch_model-1.bin': goldenBytes('protocol-3'),
      'pytorch_model-2.bin': goldenBytes('ema'),
      'pytorch_model.bin.index.json': index(
        Object.fromEntries([
          ...[...goldenTensors('protocol-3').keys()].map((name) => [name, 'pytorch_model-1.bin']),
          ...[...goldenTensors('ema').keys()].map((name) => [name, 'pytorch_model-2.bin']),
        ]),
      ),
    });
    const { tensors, notes } = await readWeights(join(folder, 'pytorch_model.bin.index.json'));
    expect(tensors).toEqual(new Map([...goldenTensors('protocol-3'), ...goldenTensors('ema')]));
    expect(notes[0]).toBe('pytorch_model-2.bin: the tensors are those of ema.module in the file.');
  });

  test('a part that is not there', async () => {
    await expect(
      read(index({ a: one, b: two }), { [one]: files[one as keyof typeof files] }),
    ).rejects.toThrow(/model-00002-of-00002\.safetensors: there is no such file/);
  });
});

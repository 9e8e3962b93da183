import { describe, expect, test } from 'vitest';
import { openFileSource } from '../../../src/weights/torch-file/byte-source.js';
import { TorchFile } from '../../../src/weights/torch-file/torch-file.js';
import { CountingSource } from './counting-source.js';
import { goldenBytes, goldenNames, goldenPath, goldenTensors } from './golden-torch-files.js';
import { dict, int, program, storage, tensor, text, torchZip } from './torch-zip.js';

const open = (bytes: Uint8Array) => TorchFile.open(new CountingSource(bytes));
const f32s = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);

describe('files that PyTorch wrote', () => {
  test.each(goldenNames)('%s: the same names, types, shapes and values', async (name) => {
    const file = await TorchFile.open(await openFileSource(goldenPath(name)));
    const expected = goldenTensors(name);
    expect([...file.tensors()]).toEqual(
      [...expected].map(([key, { dtype, shape }]) => [key, { dtype, shape }]),
    );
    expect(await file.readAll()).toEqual(expected);
    await file.close();
  });

  test.each([
    ['network', []],
    ['parameters', []],
    ['training', ['the tensors are those of state_dict in the file.']],
    ['model-and-ema', ['the tensors are those of model in the file, not ema.']],
    ['model-state-dict', ['the tensors are those of model_state_dict in the file.']],
    ['ema', ['the tensors are those of ema.module in the file.']],
  ])('%s: what was taken is noted', async (name, notes) => {
    expect((await open(goldenBytes(name))).notes).toEqual(notes);
  });

  test('values are read when asked for, and no others', async () => {
    const weights = new Float32Array(500_000).fill(3);
    const bytes = torchZip(
      program(
        dict([
          ['a', tensor({ shape: [2, 2], strides: [2, 1] })],
          ['b', tensor({ storage: storage('1', 500_000), shape: [500_000], strides: [1] })],
        ]),
      ),
      { '0': f32s(1, 2, 3, 4), '1': new Uint8Array(weights.buffer) },
    );
    const source = new CountingSource(bytes);
    const file = await TorchFile.open(source);
    // the end of the file, where a zip archive has its directory, is sought in the last 64 KiB
    expect(source.total).toBeLessThan(70_000);
    source.total = 0;
    expect((await file.read('a')).data).toEqual(Float32Array.of(1, 2, 3, 4));
    expect(source.total).toBe(16);
    await expect(file.read('c')).rejects.toThrow(/no tensor "c"/);
    expect(source.closed).toBe(false);
    await file.close();
    expect(source.closed).toBe(true);
  });

  test('a storage that many tensors share is checked once', async () => {
    const source = new CountingSource(goldenBytes('many'));
    const file = await TorchFile.open(source);
    source.total = 0;
    await file.readAll();
    // the storage's 82 numbers once, and 3 for each of 80 tensors
    expect(source.total).toBe(4 * (82 + 80 * 3));
  });
});

describe('which tensors', () => {
  const one = tensor({ shape: [4], strides: [1] });
  const named = dict([['w', one]]);
  const read = async (code: readonly number[]) => {
    const file = await open(torchZip(program(code), { '0': f32s(1, 2, 3, 4) }));
    return { names: [...file.tensors().keys()], notes: file.notes };
  };

  test('the file’s own, where there are any; all else is left out and named', async () => {
    expect(
      await read(
        dict([
          ['w', one],
          ['epoch', int(3)],
          ['state_dict', named],
        ]),
      ),
    ).toEqual({
      names: ['w'],
      notes: ['entries that are no tensors are left out: epoch, state_dict.'],
    });
  });

  test('of several keys the first of the list, averages last', async () => {
    const two = dict([['other', one]]);
    expect(
      await read(
        dict([
          ['ema', two],
          ['model', two],
          ['state_dict', named],
        ]),
      ),
    ).toEqual({
      names: ['w'],
      notes: ['the tensors are those of state_dict in the file, not model or ema.'],
    });
    expect(
      (
        await read(
          dict([
            ['model_ema', named],
            ['state_dict', text('none')],
            ['model', dict([['depth', int(18)]])],
          ]),
        )
      ).names,
    ).toEqual(['w']);
  });

  test.each([
    [
      'no key that is known',
      dict([
        ['net', named],
        ['epoch', int(1)],
      ]),
      /its keys are net, epoch\. Expected/,
    ],
    ['a tensor alone', one, /it is a tensor\. Expected are tensors by their names/],
    ['a number', int(5), /it is a number/],
    ['an empty dictionary', dict([]), /its keys are none/],
    [
      'an empty state dict',
      dict([['state_dict', dict([])]]),
      /dictionary without tensors; its keys are state_dict/,
    ],
  ])('%s is refused', async (_, code, message) => {
    await expect(read(code)).rejects.toThrow(message);
  });
});

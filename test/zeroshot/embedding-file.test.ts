import { spawnSync } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readSafetensors } from '../../src/models/safetensors/safetensors.js';
import { npyBytes } from '../../src/weights/npy-file.js';
import { writeEmbeddings } from '../../src/zeroshot/embedding-file.js';
import { temporaryFolder } from '../data/temporary-folder.js';

const names = ['a.png', 'b "c"\n.png', 'ü.png'];
const embeddings = Float32Array.of(0.1, -2.5, 3e-20, 1, 0, 65504);
const given = { kind: 'images', names, width: 2, embeddings } as const;

/** Debian's, which has NumPy where the golden files are made. */
const PYTHON = '/usr/bin/python3';
const hasNumpy = spawnSync(PYTHON, ['-c', 'import numpy']).status === 0;

test('safetensors hold the embeddings, and the names beside them', async () => {
  const folder = await temporaryFolder();
  await writeEmbeddings(join(folder, 'x.safetensors'), given);
  const { tensors, metadata } = readSafetensors(
    new Uint8Array(await readFile(join(folder, 'x.safetensors'))),
  );
  expect(tensors.get('embeddings')).toMatchObject({ dtype: 'F32', shape: [3, 2] });
  expect([...(tensors.get('embeddings')!.data as Float32Array)]).toEqual([...embeddings]);
  expect(JSON.parse(metadata.images!)).toEqual(names);
  expect(await readdir(folder)).toEqual(['x.safetensors']);
});

describe('a NumPy file', () => {
  // as numpy.lib.format describes version 1.0
  test.each([
    [[3, 2], '(3, 2)', embeddings],
    [[6], '(6,)', embeddings],
    [[0, 2], '(0, 2)', new Float32Array()],
    [[], '()', Float32Array.of(7)],
  ])('of shape %j is what the format asks for', (shape, tuple, values) => {
    const bytes = npyBytes(shape, values);
    expect([...bytes.subarray(0, 8)]).toEqual([0x93, ...Buffer.from('NUMPY'), 1, 0]);
    const length = bytes[8]! + 256 * bytes[9]!;
    expect((10 + length) % 64).toBe(0);
    const header = Buffer.from(bytes.subarray(10, 10 + length)).toString('latin1');
    expect(header.trimEnd()).toBe(`{'descr': '<f4', 'fortran_order': False, 'shape': ${tuple}, }`);
    expect(header).toMatch(/^[^\n]*\n$/);
    const rest = Buffer.from(bytes.subarray(10 + length));
    expect(rest.length).toBe(4 * values.length);
    for (const [i, value] of values.entries()) expect(rest.readFloatLE(4 * i)).toBe(value);
  });

  test('refuses values that do not fill the shape', () =>
    expect(() => npyBytes([2, 2], embeddings)).toThrow('6 values are no tensor of [2, 2]'));

  test.skipIf(!hasNumpy)('is read by NumPy (skipped: no NumPy in /usr/bin/python3)', async () => {
    const folder = await temporaryFolder();
    await writeEmbeddings(join(folder, 'x.npy'), given);
    expect((await readdir(folder)).sort()).toEqual(['x.npy', 'x.txt']);
    const script =
      'import json, numpy, sys\n' +
      'x = numpy.load("x.npy", allow_pickle=False)\n' +
      'names = [json.loads(line) for line in open("x.txt", encoding="utf8")]\n' +
      'json.dump([x.dtype.str, x.shape, x.flags.c_contiguous, x.astype(float).ravel().tolist(), names], sys.stdout)';
    const { stdout, stderr } = spawnSync(PYTHON, ['-c', script], { cwd: folder, encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual(['<f4', [3, 2], true, [...embeddings], names]);
  });
});

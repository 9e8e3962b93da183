import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compile, lint, plantedProject, ROOT } from './tools.js';

/** The direction of imports and the rooms that run in a browser: held by Biome and TypeScript, of which this is the test. */

describe('the list of rooms', () => {
  it('names every room of src/', async () => {
    const entries = await readdir(join(ROOT, 'src'));
    const rooms = (await allowed()).map(({ room }) => room);
    expect(rooms).toEqual(expect.arrayContaining(entries.map((name) => name.replace(/\.ts$/, ''))));
  });

  it('lets a room import what stands above its own line only, so that no two rooms import each other', async () => {
    const above = new Set<string>();
    for (const { room, others } of await allowed()) {
      expect([room, others.filter((other) => !above.has(other))]).toEqual([room, []]);
      above.add(room);
    }
  });

  it('is one with the lists of Biome and TypeScript, as for the rooms that run in a browser', async () => {
    const grit = await readFile(join(ROOT, 'rooms.grit'), 'utf8');
    const listed = /predicate needs_node[^"]*r"([^"]*)"/.exec(grit)?.[1]?.split('|') ?? [];
    const paths = listed.map((room) => (/ops|metrics/.test(room) ? `src/${room}.ts` : `src/${room}`));
    const { overrides } = JSON.parse(await readFile(join(ROOT, 'biome.json'), 'utf8'));
    const ofBiome = overrides.find(
      ({ linter }: { linter?: { rules?: { style?: object } } }) =>
        linter?.rules?.style && 'noRestrictedGlobals' in linter.rules.style,
    );
    const includes: string[] = ofBiome.includes.map((glob: string) => glob.replace('/**', ''));
    expect(includes.toSorted()).toEqual(paths.toSorted());
    const { include } = JSON.parse(await readFile(join(ROOT, 'tsconfig.browser.json'), 'utf8'));
    expect(include).toEqual(expect.arrayContaining(paths));
  });
});

describe('the lint', () => {
  it('fails on imports that point upwards, however they are written, and on nothing else', async () => {
    const folder = await plantedProject({
      'src/kernels/add.ts': [
        `import { a } from '../engine/device.js';`,
        `import { b } from '../train/step/trainer.js';`,
        `export { a, b };`,
      ].join('\n'),
      'src/kernels/conv/conv.ts': [
        `import type { A } from '../../losses/registry.js';`,
        `import { b } from '../common/grid.js';`,
        `export { c } from '../../data/loader.js';`,
        `export type D = import('../../models/model.js').D;`,
        `export const e = (a: A) => [a, b, import('../../report/report.js')];`,
      ].join('\n'),
      'src/kernels/conv/lanes/lanes.ts': [
        `import { a } from '../../common/grid.js';`,
        `import { b } from '../../../engine/device.js';`,
        `import { c } from '../../../index.js';`,
        `export { a, b, c };`,
      ].join('\n'),
      // models has a folder of the same name as the room
      'src/models/heads/linear.ts': [
        `import { a } from '../weights/fit-weights.js';`,
        `import { b } from '../../weights/checkpoint.js';`,
        `export { a, b };`,
      ].join('\n'),
      'src/index.ts': [
        `export { a } from './train/run/train-run.js';`,
        `export { b } from './cli/train.js';`,
      ].join('\n'),
      'src/brandnew/file.ts': `export { a } from '../engine/device.js';`,
      'test/kernels/add.test.ts': `export { a } from '../../src/train/loop.js';`,
    });
    expect(places(await lint(folder, '.'))).toEqual([
      'src/brandnew/file.ts:1 plugin',
      'src/index.ts:2 plugin',
      'src/kernels/add.ts:2 plugin',
      'src/kernels/conv/conv.ts:1 plugin',
      'src/kernels/conv/conv.ts:3 plugin',
      'src/kernels/conv/conv.ts:4 plugin',
      'src/kernels/conv/conv.ts:5 plugin',
      'src/kernels/conv/lanes/lanes.ts:3 plugin',
      'src/models/heads/linear.ts:2 plugin',
    ]);
  });

  it("fails on what is node's in rooms that run in a browser, and only there", async () => {
    const kernel = `export const bytes = (text: string) => Buffer.from(text);`;
    const model = [
      `import { readFile } from 'node:fs/promises';`,
      `import * as fs from 'fs';`,
      `import sharp from 'sharp';`,
      `import { z } from 'zod';`,
      `export { fs, readFile, sharp, z };`,
    ].join('\n');
    const folder = await plantedProject({
      'src/kernels/shape/pad.ts': kernel,
      'src/models/backbones/vit.ts': model,
      'src/eval/f1.ts': `export const threads = process.env.THREADS;`,
      'src/weights/weight-file.ts': `${model}\n${kernel}`,
    });
    expect(places(await lint(folder, '--only=plugin', '--only=style/noRestrictedGlobals', 'src'))).toEqual([
      'src/eval/f1.ts:1 style/noRestrictedGlobals',
      'src/kernels/shape/pad.ts:1 style/noRestrictedGlobals',
      'src/models/backbones/vit.ts:1 plugin',
      'src/models/backbones/vit.ts:2 plugin',
      'src/models/backbones/vit.ts:3 plugin',
    ]);
  });

  it('fails on files that import each other, be it types only', async () => {
    const folder = await plantedProject({
      'src/hub/a.ts': `import type { B } from './b.js';\nexport interface A { readonly b?: B }`,
      'src/hub/b.ts': `import type { A } from './a.js';\nexport interface B { readonly a?: A }`,
      'src/hub/c.ts': `import type { A } from './a.js';\nexport type C = A;`,
    });
    expect(places(await lint(folder, 'src'))).toEqual([
      'src/hub/a.ts:1 suspicious/noImportCycles',
      'src/hub/b.ts:1 suspicious/noImportCycles',
    ]);
  });
});

describe('the type check without node', () => {
  it('fails on a Buffer in a kernel and on fs in a model', async () => {
    const folder = await plantedProject({
      'src/kernels/pad.ts': `export const bytes = (text: string) => Buffer.from(text);`,
      'src/models/vit.ts': `import { readFileSync } from 'node:fs';\nexport const read = readFileSync;`,
      'src/losses/device.ts': `export const limits = (device: GPUDevice) => device.limits;`,
    });
    const { ok, output } = await compile(folder, '-p', 'tsconfig.browser.json', '--pretty', 'false');
    expect(ok).toBe(false);
    expect(output).toMatch(/^src\/kernels\/pad\.ts\(1,40\): error TS\d+: Cannot find name 'Buffer'/m);
    expect(output).toMatch(/^src\/models\/vit\.ts\(1,30\): error TS\d+: Cannot find .*'node:fs'/m);
    expect(output).not.toContain('src/losses');
  });

  it("sees none of node's types by way of a package", async () => {
    const { output } = await compile(ROOT, '-p', 'tsconfig.browser.json', '--listFilesOnly');
    expect(output).toContain('src/kernels/conv/conv.ts');
    expect(output).not.toContain('@types/node');
  });
});

/** rooms.grit, line by line. */
async function allowed(): Promise<{ room: string; others: string[] }[]> {
  const text = await readFile(join(ROOT, 'rooms.grit'), 'utf8');
  const lines = text.matchAll(/\$room <: r"(\w+)",\s*\$other <: r"([\w|]+)"/g);
  return Array.from(lines, ([, room = '', others = '']) => ({
    room,
    others: others === 'nothing' ? [] : others.split('|'),
  }));
}

function places(findings: readonly { path: string; line: number; rule: string }[]): string[] {
  return findings.map(({ path, line, rule }) => `${path}:${line} ${rule}`).toSorted();
}

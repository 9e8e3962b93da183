import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { writeSafetensors } from '../../src/models/safetensors/safetensors.js';
import { embedTexts } from '../../src/zeroshot/embed-texts.js';
import type { ImageTextModel } from '../../src/zeroshot/image-text-model.js';
import { temporaryFolder } from '../data/temporary-folder.js';

/** Embeds each text as its length, `width` times; counts how often it is asked. */
function lengths(width: number, digest: string) {
  const asked: (readonly string[])[] = [];
  const model = {
    width,
    textSide: () => ({
      encode: async (texts: readonly string[]) => {
        asked.push(texts);
        return Float32Array.from(texts.flatMap((text) => Array<number>(width).fill(text.length)));
      },
      digest: () => digest,
    }),
  } as unknown as ImageTextModel;
  return { model, asked };
}

test('embeddings of texts are kept by model and texts; a file of another width or a broken one is not used', async () => {
  const cache = await temporaryFolder();
  const { model, asked } = lengths(2, 'a');
  const texts = ['one', 'three'];
  expect([...(await embedTexts(model, texts, cache))]).toEqual([3, 3, 5, 5]);
  expect([...(await embedTexts(model, texts, cache))]).toEqual([3, 3, 5, 5]);
  expect(asked).toHaveLength(1);
  await embedTexts(model, ['three', 'one'], cache);
  await embedTexts(lengths(2, 'b').model, texts, cache);
  expect(asked).toHaveLength(2);
  const files = await readdir(cache);
  expect(files).toHaveLength(3);

  const wide = { dtype: 'F32', shape: [1, 4], data: new Float32Array(4) } as const;
  for (const content of [writeSafetensors(new Map([['embeddings', wide]])), new Uint8Array(3)]) {
    for (const file of files) await writeFile(join(cache, file), content);
    expect([...(await embedTexts(model, texts, cache))]).toEqual([3, 3, 5, 5]);
  }
  expect(asked).toHaveLength(4);
});

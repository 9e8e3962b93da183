import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { Tokenizer } from '@huggingface/tokenizers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TokenizerError } from '#src/zeroshot/tokens/byte-pairs.js';
import { cleanText, unescapeHtml } from '#src/zeroshot/tokens/clean-text.js';
import { ClipTokenizer } from '#src/zeroshot/tokens/tokenizer.js';
import { readGolden } from '../golden/golden-files.js';
import { huggingFaceFiles, openClipMerges } from './clip-vocabulary.js';

const { texts, ids, cut } = readGolden<{ texts: string[]; ids: number[][]; cut: number }>(
  'clip-tokens.json.gz',
);
let folder: string;
let published: string;
let files: ReturnType<typeof huggingFaceFiles>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tailray-tokenizer-'));
  published = await openClipMerges();
  files = huggingFaceFiles(published.split('\n').slice(1, 48_895));
  await writeFile(join(folder, 'bpe_simple_vocab_16e6.txt.gz'), gzipSync(published));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** A folder with the given files. */
async function folderOf(name: string, contents: Readonly<Record<string, string>>): Promise<string> {
  const path = join(folder, name);
  await mkdir(path, { recursive: true });
  for (const [file, text] of Object.entries(contents)) await writeFile(join(path, file), text);
  return path;
}

function rows(tokenizer: ClipTokenizer, wanted: readonly string[]): number[][] {
  const { tokens, ends } = tokenizer.encode(wanted);
  return wanted.map((_, row) => {
    const all = Array.from(tokens.subarray(row * tokenizer.context, (row + 1) * tokenizer.context));
    const length = (ends[row] ?? 0) + 1;
    expect(all.slice(length).every((id) => id === 0)).toBe(true);
    return all.slice(0, length);
  });
}

describe("the ids of CLIP's vocabulary", () => {
  it('are those of the reference for every golden text', async () => {
    const tokenizer = await ClipTokenizer.fromFiles(folder, { vocabularySize: 49_408 });
    expect(texts.length).toBeGreaterThanOrEqual(1000);
    const found = rows(tokenizer, texts);
    const wrong = texts.flatMap((text, row) =>
      JSON.stringify(found[row]) === JSON.stringify(ids[row])
        ? []
        : [{ text, ours: found[row], reference: ids[row] }],
    );
    expect(wrong).toEqual([]);
    expect(cut).toBeGreaterThan(20);
    expect(tokenizer.encode(texts).cut).toBe(cut);
  });

  it('are the same from each of the three forms, and so is the digest', async () => {
    const whole = await ClipTokenizer.fromFiles(folder);
    const tokenizer = await folderOf('tokenizer', { 'tokenizer.json': JSON.stringify(files.tokenizer) });
    const newer = {
      ...files.tokenizer,
      model: {
        ...files.tokenizer.model,
        merges: files.tokenizer.model.merges.map((merge) => merge.split(' ')),
      },
    };
    const two = await folderOf('two', { 'vocab.json': files.vocabulary, 'merges.txt': files.merges });
    const sources = [
      tokenizer,
      join(tokenizer, 'tokenizer.json'),
      await folderOf('newer', { 'tokenizer.json': JSON.stringify(newer) }),
      two,
      { vocabulary: join(two, 'vocab.json'), merges: join(two, 'merges.txt') },
      await folderOf('plain', { 'bpe_simple_vocab_16e6.txt': published }),
    ];
    const some = texts.filter((_, index) => index % 40 === 0);
    for (const source of sources) {
      const other = await ClipTokenizer.fromFiles(source);
      expect(other.digest).toBe(whole.digest);
      expect(other.vocabularySize).toBe(49_408);
      expect(rows(other, some)).toEqual(rows(whole, some));
    }
    const shorter = await ClipTokenizer.fromFiles(folder, { context: 32 });
    expect(shorter.digest).not.toBe(whole.digest);
  });

  it("differ from the reference where a published tokenizer.json's own rules are followed", () => {
    const theirs = new Tokenizer(files.tokenizer, {});
    const differ = texts.filter((text, row) => {
      const found = theirs.encode(text).ids;
      const kept = found.length > 77 ? [...found.slice(0, 76), 49_407] : found;
      return JSON.stringify(kept) !== JSON.stringify(ids[row]);
    });
    expect(differ).toContain('a &lt;b&gt; c');
    expect(differ).toContain('!\ufeff?');
  });

  it('end at the context: the last id is the end, and texts that lost some are counted', async () => {
    const tokenizer = await ClipTokenizer.fromFiles(folder, { context: 5 });
    const encoded = tokenizer.encode(['lung', 'lung lung lung', 'lung lung lung lung', '']);
    const [start = 0, word = 0, end = 0] =
      ids[texts.indexOf('lung '.repeat(70))]?.filter((id, index, all) => all.indexOf(id) === index) ?? [];
    expect(Array.from(encoded.tokens)).toEqual([
      start,
      word,
      end,
      0,
      0,
      start,
      word,
      word,
      word,
      end,
      start,
      word,
      word,
      word,
      end,
      start,
      end,
      0,
      0,
      0,
    ]);
    expect(Array.from(encoded.ends)).toEqual([2, 4, 4, 1]);
    expect(encoded.cut).toBe(1);
    expect(tokenizer.encode([])).toEqual({ tokens: new Uint32Array(), ends: new Uint32Array(), cut: 0 });
  });

  it('hold the end once, whatever a text says', async () => {
    const tokenizer = await ClipTokenizer.fromFiles(folder);
    const { tokens, ends } = tokenizer.encode(['a <|endoftext|> b <|startoftext|>']);
    expect(tokens.indexOf(49_407)).toBe(ends[0]);
    expect(tokens.filter((id) => id === 49_406)).toHaveLength(1);
  });
});

describe('cleaning', () => {
  it('resolves references, composes accents, collapses white space, makes letters small', () => {
    expect(cleanText(' A&amp;lt;B\t\u3000 e\u0301&#769; \u001c')).toBe('a<b é\u0301');
    expect(unescapeHtml('&notit; &#146; &#x0; &#1;| &#xd800; &nosuch; &lt')).toBe(
      '¬it; ’ \ufffd | \ufffd &nosuch; <',
    );
  });
});

describe('a tokenizer is refused', () => {
  it.each<[string, Readonly<Record<string, string>>, RegExp]>([
    [
      'none',
      { 'readme.md': '' },
      /none: holds no tokenizer.*tokenizer\.json, or vocab\.json with merges\.txt/,
    ],
    ['half', { 'vocab.json': '{}' }, /half: holds no tokenizer/],
    ['cut', { 'tokenizer.json': '{"model": {"vo' }, /cut\/tokenizer\.json: not valid JSON.*fetch it again/],
    ['list', { 'tokenizer.json': '[]' }, /tokenizer\.json: this tokenizer\.json is not of CLIP's kind/],
    [
      'wordpiece',
      { 'tokenizer.json': '{"model": {"type": "WordPiece", "vocab": {"a": 0}}}' },
      /not of CLIP's kind: model\.type/,
    ],
    [
      'gpt2',
      {
        'tokenizer.json':
          '{"model": {"type": "BPE", "end_of_word_suffix": "", "vocab": {"a": 0}, "merges": []}}',
      },
      /not of CLIP's kind: model\.end_of_word_suffix/,
    ],
    [
      'startless',
      { 'vocab.json': '{"a": 0}', 'merges.txt': '' },
      /no token for the start of a text.*another model/,
    ],
    [
      'endless',
      { 'vocab.json': '{"<|startoftext|>": 0}', 'merges.txt': '' },
      /no token for the end of a text \(<\|endoftext\|> or <end_of_text>\)/,
    ],
    [
      'byteless',
      { 'vocab.json': '{"<|startoftext|>": 0, "<|endoftext|>": 1}', 'merges.txt': '' },
      /has no token "!": a CLIP has one for each byte/,
    ],
    [
      'twice',
      { 'vocab.json': '{"<|startoftext|>": 0, "<|endoftext|>": 0}', 'merges.txt': '' },
      /"<\|startoftext\|>" and "<\|endoftext\|>" have the same id, 0/,
    ],
    [
      'words',
      { 'vocab.json': '{"a": "b"}', 'merges.txt': '' },
      /vocab\.json: must hold a whole number for each token: a:/,
    ],
    [
      'beyond',
      { 'vocab.json': '{"a": 99999999}', 'merges.txt': '' },
      /must hold a whole number for each token: a: Too big/,
    ],
    [
      'triple',
      { 'vocab.json': '{}', 'merges.txt': '#version: 0.2\na b\na b c\n' },
      /merges\.txt, line 3: "a b c" is no merge/,
    ],
    ['picture', { 'bpe_simple_vocab_16e6.txt.gz': 'PNG' }, /can't be unpacked.*fetch it again/],
  ])('%s', async (name, contents, message) => {
    const failure = await ClipTokenizer.fromFiles(await folderOf(name, contents)).catch(
      (error: unknown) => error,
    );
    expect(failure).toBeInstanceOf(TokenizerError);
    expect((failure as Error).message).toMatch(message);
  });

  it('where merges and vocabulary are of different models', async () => {
    const path = await folderOf('mixed', {
      'vocab.json': files.vocabulary,
      'merges.txt': '#version: 0.2\nq qqq\n',
    });
    await expect(ClipTokenizer.fromFiles(path)).rejects.toThrow(/merge 1 \("q qqq"\).*of different models/);
  });

  it('where the model has another number of tokens', async () => {
    await expect(ClipTokenizer.fromFiles(folder, { vocabularySize: 32_000 })).rejects.toThrow(
      /a tokenizer of 49,408 tokens; the model has 32,000\. It belongs to another model/,
    );
  });

  it('where a file is missing, is half of one, or is too large, unpacked too', async () => {
    await expect(ClipTokenizer.fromFiles(join(folder, 'nosuch.json'))).rejects.toThrow(
      /nosuch\.json: there is no such/,
    );
    const half = await folderOf('half', { 'vocab.json': '{}' });
    await expect(ClipTokenizer.fromFiles(join(half, 'vocab.json'))).rejects.toThrow(/half of a tokenizer/);
    const large = await folderOf('large', {});
    await writeFile(join(large, 'bomb.txt.gz'), gzipSync(Buffer.alloc(40 * 2 ** 20)));
    await expect(ClipTokenizer.fromFiles(join(large, 'bomb.txt.gz'))).rejects.toThrow(
      /unpacks to more than 32 MiB/,
    );
    await writeFile(join(large, 'tokenizer.json'), Buffer.alloc(33 * 2 ** 20));
    await expect(ClipTokenizer.fromFiles(large)).rejects.toThrow(/tokenizer\.json: has more than 32 MiB/);
    await expect(ClipTokenizer.fromFiles(folder, { context: 1 })).rejects.toThrow(
      /whole number of at least 2, not 1/,
    );
  });
});

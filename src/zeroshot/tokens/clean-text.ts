import { decodeHTML } from 'entities';

/**
 * Texts as CLIP saw them in training: html references resolved, accents composed, white space collapsed, lower case.
 * CLIP's own preparation also runs ftfy, which repairs wrongly decoded text and straightens curly quotes. Of that, only
 * the composition of accents (NFC) is done here: a prompt is expected to be well encoded.
 */

/** Raised whenever `cleanText` gives other texts, so that embeddings kept from before are not taken for current ones. */
export const CLEANING_VERSION = 1;

export function cleanText(text: string): string {
  // twice: "&amp;lt;" is common in texts gathered from pages
  const resolved = unescapeHtml(unescapeHtml(text)).normalize('NFC');
  return resolved.replace(WHITE_SPACE, ' ').replace(/^ | $/g, '').toLowerCase();
}

/** White space in the reference's sense: the four separators U+001C–U+001F and U+0085 count, U+FEFF does not. */
const WHITE_SPACE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are white space there
  /[\t-\r\u001c-\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/g;

const REFERENCE = /&(?:#(\d+);?|#[xX]([\da-fA-F]+);?|[^\t\n\f <&#;]{1,32};?)/g;

/**
 * References as HTML 5 reads them, names without a semicolon too where HTML allows them. Numbers that stand for no
 * character are dropped, which the package's own reading of numbers does not do.
 */
export function unescapeHtml(text: string): string {
  return text.replace(REFERENCE, (reference: string, decimal?: string, hexadecimal?: string) => {
    if (decimal !== undefined) return character(Number.parseInt(decimal, 10));
    if (hexadecimal !== undefined) return character(Number.parseInt(hexadecimal, 16));
    return decodeHTML(reference);
  });
}

/** The 32 numbers that HTML takes for Windows-1252; 0 keeps the control character of that number. */
const WINDOWS_1252 = [
  0x20ac, 0, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0,
  0x017d, 0, 0, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a,
  0x0153, 0, 0x017e, 0x0178,
] as const;

function character(code: number): string {
  if (code === 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return '\ufffd';
  if (code >= 0x80 && code <= 0x9f) return String.fromCodePoint(WINDOWS_1252[code - 0x80] || code);
  const control = code < 0x20 && code !== 0x09 && code !== 0x0a && code !== 0x0c && code !== 0x0d;
  const noCharacter = (code >= 0xfdd0 && code <= 0xfdef) || (code & 0xfffe) === 0xfffe;
  return control || noCharacter || code === 0x7f ? '' : String.fromCodePoint(code);
}

/** How many columns of a terminal a text takes: letters of East Asian scripts and emoji take two, accents none. */

const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f680}-\u{1f6ff}\u{1f900}-\u{1f9ff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u;
const PRINTABLE_ASCII = /^[ -~]*$/;

// made once: making one takes longer than many uses
const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

export function displayWidth(text: string): number {
  if (PRINTABLE_ASCII.test(text)) return text.length;
  return characters(text).reduce((sum, character) => sum + characterWidth(character), 0);
}

/** As much of the beginning of a text as fits into so many columns; no character is cut in two. */
export function beginning(text: string, columns: number): string {
  return fitting(characters(text), columns).join('');
}

/** The same of the end. */
export function ending(text: string, columns: number): string {
  return fitting(characters(text).reverse(), columns).reverse().join('');
}

function fitting(parts: readonly string[], columns: number): string[] {
  let left = columns;
  const end = parts.findIndex((part) => {
    left -= characterWidth(part);
    return left < 0;
  });
  return parts.slice(0, end < 0 ? parts.length : end);
}

/** Characters as a reader counts them, each with its accents. */
function characters(text: string): string[] {
  return Array.from(graphemes.segment(text), ({ segment }) => segment);
}

function characterWidth(character: string): number {
  if (/^\p{Mark}+$/u.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}

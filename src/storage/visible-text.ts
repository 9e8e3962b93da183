/**
 * Text from tables, recipes and files, as it may be shown. A control character in a name can clear a terminal or
 * overwrite the line above, and one that turns the direction of reading can make a page say the opposite of its text; so
 * these are shown by their numbers, `\u202e`, which JSON reads back. Line breaks and tabs stay.
 */
export function visibleText(text: string): string {
  return text.replace(HIDDEN, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/**
 * Control characters; marks, embeddings, overrides and isolates of the bidirectional algorithm (Unicode's UAX 9); breaks
 * that only some programs take for lines; and halves of a character.
 */
const HIDDEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are the point
  /[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

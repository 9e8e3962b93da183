/**
 * Text with a style to each piece, as a terminal shows it. A style is a meaning, such as the group of a class, not a
 * colour: what it looks like, and whether it is shown at all, is decided where the text is written.
 */

export type Style = 'head' | 'medium' | 'tail' | 'good' | 'alarm' | 'muted' | 'strong';

export interface Styled {
  readonly text: string;
  readonly style?: Style | undefined;
}

export type Text = string | Styled;

/** Pieces side by side. */
export type Line = readonly Text[];

export function plainText(text: Text): string {
  return typeof text === 'string' ? text : text.text;
}

/** A line without its styles. */
export function plainLine(line: Line): string {
  return line.map(plainText).join('');
}

import { visibleText } from '../storage/visible-text.js';

/**
 * Text that is safe to put into a page. Class names, file names and notes come from other people's files, so every value
 * that is not `Html` already is escaped, and nothing but the `html` template and `trusted` makes `Html`.
 */

/** A piece of markup. */
export class Html {
  constructor(readonly text: string) {}
}

/** Values that a template takes: text is escaped, lists are joined, null, undefined and false are nothing. */
export type Content = Html | string | number | null | undefined | false | readonly Content[];

/** Markup with values filled in, inside elements or inside quoted attributes. */
export function html(strings: TemplateStringsArray, ...values: Content[]): Html {
  let text = strings[0] ?? '';
  for (const [i, value] of values.entries()) text += render(value) + (strings[i + 1] ?? '');
  return new Html(text);
}

/** Takes a text of our own, such as the style sheet, as it is. Never for anything read from a file. */
export function trusted(text: string): Html {
  return new Html(text);
}

function render(value: Content): string {
  if (value instanceof Html) return value.text;
  if (value === null || value === undefined || value === false) return '';
  if (typeof value === 'object') return value.map(render).join('');
  return escapeText(String(value));
}

function escapeText(text: string): string {
  return visibleText(text).replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

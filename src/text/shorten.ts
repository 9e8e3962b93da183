import { beginning, displayWidth, ending } from './display-width.js';

/** More of a text is not looked at for each column that it may have: names in files may be as long as the file. */
const UNITS = 16;

/** At most `longest` columns wide, the end cut where there is more: `a very long na…`. */
export function shorten(text: string, longest: number): string {
  const start = text.slice(0, UNITS * longest);
  return start === text && displayWidth(text) <= longest ? text : `${beginning(start, longest - 1)}…`;
}

/** The same, cut in the middle where both ends tell something. */
export function shortenInMiddle(text: string, longest: number): string {
  if (text.length <= UNITS * longest && displayWidth(text) <= longest) return text;
  const half = Math.floor((longest - 1) / 2);
  const start = text.slice(0, UNITS * longest);
  const end = text.slice(-UNITS * longest);
  return `${beginning(start, half)}…${ending(end, half)}`;
}

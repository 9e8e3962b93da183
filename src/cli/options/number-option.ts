import { InvalidArgumentError } from 'commander';
import { parseByteSize } from '../../text/byte-size.js';

/** Option parsers that refuse what is no number, in commander's way. */

/** @throws InvalidArgumentError unless the text is a whole number, 0 or larger */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(value) || value < 0) {
    throw new InvalidArgumentError('It must be a whole number.');
  }
  return value;
}

/** @throws InvalidArgumentError unless the text is a finite number, 0 or larger */
export function nonNegativeNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0) {
    throw new InvalidArgumentError('It must be a number that is not negative.');
  }
  return value;
}

/** @throws InvalidArgumentError unless the text is `auto` or a number from 0 to 1 */
export function shareOrAuto(text: string): number | 'auto' {
  if (text === 'auto') return text;
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value <= 1)) {
    throw new InvalidArgumentError('It must be auto or a number from 0 to 1.');
  }
  return value;
}

/** @throws InvalidArgumentError unless the text is a whole number, 1 or larger */
export function positiveNumber(text: string): number {
  const value = wholeNumber(text);
  if (value === 0) throw new InvalidArgumentError('It must be at least 1.');
  return value;
}

/** @throws InvalidArgumentError unless the text is a port, or 0 for any free one */
export function portNumber(text: string): number {
  const value = wholeNumber(text);
  if (value > 65_535)
    throw new InvalidArgumentError('A port is a number up to 65535, or 0 for any free one.');
  return value;
}

/** @throws InvalidArgumentError unless the text is a size such as 2GiB */
export function byteSize(text: string): number {
  const bytes = parseByteSize(text);
  if (bytes === undefined) throw new InvalidArgumentError('It must be a size such as 2GiB or 512MiB.');
  return bytes;
}

/** @throws InvalidArgumentError unless the text is numbers with commas between, each 0 or larger */
export function nonNegativeNumbers(text: string): number[] {
  return text.split(',').map(nonNegativeNumber);
}

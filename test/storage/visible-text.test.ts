import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { visibleText } from '../../src/storage/visible-text.js';

describe('text that can be shown', () => {
  test.each([
    ['Pneumonia ≥ 2, Größe, 肺炎, صدر 🫁\n\tnext', 'Pneumonia ≥ 2, Größe, 肺炎, صدر 🫁\n\tnext'],
    ['\x1b[2Jgone', '\\u001b[2Jgone'],
    ['line\rover', 'line\\u000dover'],
    ['a\u202eb\u2066c', 'a\\u202eb\\u2066c'],
    ['\u009b31m\x7f', '\\u009b31m\\u007f'],
    ['half \ud83e', 'half \\ud83e'],
  ])('%j', (text, shown) => {
    expect(visibleText(text)).toBe(shown);
  });

  test('shows nothing twice, and what was JSON still says the same', () => {
    const unit = fc.oneof(
      fc.constantFrom('\x1b', '\r', '\n', '\u202e', '\u2067', '\\', '"', 'a'),
      fc.string({ unit: 'binary' }),
    );
    fc.assert(
      fc.property(fc.string({ unit }), (text) => {
        const shown = visibleText(text);
        expect(visibleText(shown)).toBe(shown);
        expect(shown).not.toMatch(/\p{Bidi_Control}|(?![\n\t])\p{Cc}/u);
        expect(JSON.parse(visibleText(JSON.stringify(text)))).toBe(text);
      }),
    );
  });
});

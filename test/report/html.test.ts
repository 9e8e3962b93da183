import fc from 'fast-check';
import { expect, test } from 'vitest';
import { html, trusted } from '../../src/report/html.js';

test('text is escaped, markup and trusted text are not', () => {
  const name = `<script>alert("1")</script> & 'co'\0`;
  expect(html`<p title="${name}">${name}</p>`.text).toBe(
    '<p title="&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#39;co&#39;\\u0000">' +
      '&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#39;co&#39;\\u0000</p>',
  );
  expect(html`${html`<b>${'<'}</b>`}${trusted('<i>')}`.text).toBe('<b>&lt;</b><i>');
});

test('lists are joined; null, undefined and false are nothing, 0 is a 0', () => {
  expect(html`<${['a', ['b', html`<c>`], 0]}|${null}${undefined}${false}>`.text).toBe('<ab<c>0|>');
});

test('no text can open a tag, end an attribute or begin an entity of its own', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const escaped = html`${text}`.text;
      expect(escaped).not.toMatch(/[<>"'\0]/);
      expect(escaped.replace(/&(?:amp|lt|gt|quot|#39);/g, '')).not.toContain('&');
    }),
  );
});

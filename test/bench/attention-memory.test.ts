import { expect, test } from 'vitest';
import { attentionMemory, type Way } from '../../bench/attention-memory.js';
import { attentionMemoryPlot } from '../../bench/attention-memory-plot.js';
import { testDevice } from '../device.js';

test('the memory of fused attention grows with the tokens, that of plain ops with their square', async () => {
  const device = await testDevice();
  const rows = attentionMemory(device);
  const bytes = (way: Way, tokens: number, what: 'forward' | 'withGradients') =>
    rows.find((row) => row.tokens === tokens)?.ways[way][what] ?? Number.NaN;
  for (const what of ['forward', 'withGradients'] as const) {
    expect(bytes('fused', 4096, what)).toBeLessThan(1.1 * 64 * bytes('fused', 64, what));
    // every doubling by itself: nothing that grows faster hides behind a large constant
    for (const tokens of [64, 128, 256, 512, 1024, 2048]) {
      expect(bytes('fused', 2 * tokens, what)).toBeLessThan(2.1 * bytes('fused', tokens, what));
    }
    expect(bytes('unfused', 1024, what)).toBeGreaterThan(3 * bytes('unfused', 512, what));
  }
  const picture = attentionMemoryPlot(rows, 'a card');
  const fits = rows.filter(({ ways }) => ways.unfused.withGradients !== undefined).length;
  expect(fits).toBeGreaterThanOrEqual(5);
  // the fused kernel in both panels, and a dot each in the legend
  expect(picture.match(/<circle/g)).toHaveLength(2 * rows.length + fits + 2);
});

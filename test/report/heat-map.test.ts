import { expect, test } from 'vitest';
import { heatMap } from '../../src/report/plots/heat-map.js';

test('a cell for every value, shaded and numbered by its share', () => {
  const shares = [
    [null, 0.004, 0.06],
    [0.2, null, 0.4],
    [0.9, 0.01, null],
  ];
  const { text } = heatMap({
    names: ['a', '<b>', 'c'],
    value: (i, j) => shares[i]![j]!,
    title: (i, j) => `${i} to ${j}`,
    description: 'made up',
  });
  const cells = [...text.matchAll(/<title>(\d) to (\d)<\/title><rect class="cell s(\d)"/g)].map((match) =>
    match.slice(1).map(Number),
  );
  expect(cells).toEqual([
    [0, 1, 0],
    [0, 2, 2],
    [1, 0, 3],
    [1, 2, 4],
    [2, 0, 5],
    [2, 1, 1],
  ]);
  const numbers = [...text.matchAll(/class="cell-value [^>]*>(\d+)</g)].map((match) => match[1]);
  expect(numbers).toEqual(['6', '20', '40', '90']);
  expect(text).toContain('&lt;b&gt;');
});

test('many classes have smaller cells, without numbers', () => {
  const names = Array.from({ length: 40 }, (_, i) => `class ${i}`);
  const { text } = heatMap({ names, value: () => 0.5, title: () => '', description: '' });
  expect(text.match(/<rect/g)).toHaveLength(1600);
  expect(text).not.toContain('cell-value');
  for (const [, x, width] of text.matchAll(/ x="([\d.]+)" y="[\d.]+" width="([\d.]+)"/g)) {
    expect(Number(x) + Number(width)).toBeLessThan(560);
  }
});

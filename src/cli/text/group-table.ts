import { elementCount } from '../../engine/graph/tensor.js';
import { count, NOTHING, percent, significant } from '../../text/numbers.js';
import { paddedTable } from '../../text/padded-table.js';
import { shorten } from '../../text/shorten.js';
import type { ParameterGroupSettings, ParameterGroups } from '../../train/step/parameter-groups.js';

/** Parameter groups as a table before training: how fast each learns, which are frozen, and which have adapters. */

/** A line a group under a line of titles; empty where all parameters are treated alike. */
export function formatGroups({ groups, trained, frozen }: ParameterGroups): string[] {
  const rows = groups.map(describe);
  const [first] = rows;
  if (first && frozen.length === 0 && rows.every((row) => row.rate === '×1' && row.decay === first.decay)) {
    return [];
  }
  const total = [...trained, ...frozen].reduce((sum, { shape }) => sum + elementCount(shape), 0);
  const cells = [
    ['group', 'parameters', 'share', 'rate', 'weight decay'],
    ...rows.map((row) => [
      row.name,
      count(row.parameters),
      percent(row.parameters / total, 1),
      row.rate,
      row.decay,
    ]),
  ];
  return paddedTable(cells, { right: (column) => column === 1 || column === 2 });
}

function describe({ match, frozen, lora, parameters }: ParameterGroupSettings) {
  const rates = parameters.map(({ learningRateScale }) => learningRateScale);
  const decays = [...new Set(parameters.map(({ weightDecay }) => weightDecay))].sort((a, b) => b - a);
  const [decay = 0, spared] = decays;
  return {
    name: lora ? `  LoRA of rank ${lora.rank}, alpha ${lora.alpha}` : shorten(match, 32),
    parameters: parameters.reduce((sum, { spec }) => sum + elementCount(spec.shape), 0),
    rate: frozen ? 'frozen' : range(Math.min(...rates), Math.max(...rates)),
    decay: frozen ? NOTHING : `${decay}${spared === undefined ? '' : `, norms and biases ${spared}`}`,
  };
}

function range(least: number, most: number): string {
  const text = (scale: number) => `×${significant(scale, 3)}`;
  return least === most ? text(least) : `${text(least)} … ${text(most)}`;
}

import type { Interval } from '../eval/metrics/interval.js';
import { decimals, NOTHING, signed } from '../text/numbers.js';
import type { ProxyUnseenResult } from './proxy-unseen.js';

/** The choice among rules as rows of a table: a header, then a row for each candidate. */
export function proxyUnseenRows({ candidates, best, chosen }: ProxyUnseenResult): string[][] {
  return [
    ['rules', 'macro AP', 'macro AUROC', 'mean rank', 'AP against the best', 'can change a ranking', ''],
    ...candidates.map((row) => [
      row.name,
      withInterval(row.mAP, decimals),
      withInterval(row.auroc, decimals),
      row.meanRank.toFixed(1),
      row.againstBest === null ? NOTHING : withInterval(row.againstBest, signed),
      row.canChangeRanking ? 'yes' : 'no',
      [row.name === best ? 'best' : '', row.name === chosen ? 'chosen' : ''].filter(Boolean).join(', '),
    ]),
  ];
}

function withInterval({ estimate, low, high }: Interval, format: (value: number) => string): string {
  return Number.isNaN(low) ? format(estimate) : `${format(estimate)} [${format(low)}, ${format(high)}]`;
}

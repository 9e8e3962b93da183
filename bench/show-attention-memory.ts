import { writeFileSync } from 'node:fs';
import { parser, runCommand } from '#src/cli/command.js';
import { adapterOption } from '#src/cli/options/common-options.js';
import { openDevice } from '#src/platform/node/open-device.js';
import { formatByteSize } from '#src/text/byte-size.js';
import { NOTHING } from '#src/text/numbers.js';
import { paddedTable } from '#src/text/padded-table.js';
import { type AttentionMemory, attentionMemory } from './attention-memory.js';
import { attentionMemoryPlot } from './attention-memory-plot.js';

/** `node dist/bench/show-attention-memory.js`: the memory of attention as a table and as a picture. */

async function main({ adapter, out }: { adapter?: string; out?: string }): Promise<void> {
  const device = await openDevice({ adapter });
  try {
    const rows = attentionMemory(device);
    process.stdout.write(`${table(rows).join('\n')}\n`);
    const limit = device.traits.maxBindingBytes;
    process.stdout.write(`${NOTHING}: a tensor is larger than the ${formatByteSize(limit)} of a binding.\n`);
    if (out !== undefined) writeFileSync(out, attentionMemoryPlot(rows, device.traits.adapter));
  } finally {
    device.close();
  }
}

function table(rows: readonly AttentionMemory[]): string[] {
  const size = (bytes: number | undefined) => (bytes === undefined ? NOTHING : formatByteSize(bytes));
  const head = ['tokens', 'fused: forward', 'with gradients', 'unfused: forward', 'with gradients'];
  const body = rows.map(({ tokens, ways: { fused, unfused } }) => [
    String(tokens),
    ...[fused, unfused].flatMap(({ forward, withGradients }) => [size(forward), size(withGradients)]),
  ]);
  return paddedTable([head, ...body], { right: () => true });
}

await runCommand(
  parser('show-attention-memory')
    .addOption(adapterOption())
    .option('--out <file>', 'draw it, too, e.g. as docs/zeroshot/attention-memory.svg')
    .action(main),
);

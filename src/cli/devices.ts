#!/usr/bin/env node
/**
 * `devices`: the first thing to run when something about the GPU is unclear. Shows what was found, what was refused
 * and why, and what the other commands would use.
 */
import { measureRoofline, type Roofline } from '../engine/roofline.js';
import { adapterChoice, fits } from '../platform/node/adapter-choice.js';
import { adapterTable } from '../platform/node/adapter-table.js';
import { listAdapters } from '../platform/node/list-adapters.js';
import { openDevice } from '../platform/node/open-device.js';
import { provideSwiftShader } from '../platform/node/swiftshader.js';
import { command, runCommand } from './command.js';
import { describeRoofline } from './text/roofline-text.js';

interface DevicesOptions {
  adapter?: string;
  fetch?: boolean;
  measure?: boolean;
  json?: boolean;
}

async function devices(options: DevicesOptions): Promise<void> {
  if (options.fetch) await provideSwiftShader((message) => process.stderr.write(`${message}\n`));
  const adapters = await listAdapters();
  const choice = adapterChoice(options.adapter);
  const roofline = options.measure ? await measured(options.adapter) : undefined;
  if (options.json) {
    const chosen = adapters.find((adapter) => adapter.accepted && fits(adapter, choice));
    process.stdout.write(
      `${JSON.stringify({ choice, chosen: chosen?.name ?? null, roofline, adapters }, null, 2)}\n`,
    );
  } else {
    process.stdout.write(`${adapterTable(adapters, choice)}\n`);
    if (roofline) process.stdout.write(`Measured now: ${describeRoofline(roofline)}.\n`);
  }
}

async function measured(adapter: string | undefined): Promise<Roofline> {
  const device = await openDevice({ adapter });
  try {
    return await measureRoofline(device);
  } finally {
    device.close();
  }
}

await runCommand(
  command('devices')
    .option(
      '--adapter <name>',
      'mark the adapter that this name would choose (default: TAILRAY_ADAPTER, else the best)',
    )
    .option('--fetch', 'fetch SwiftShader first, if this machine does not have it yet')
    .option('--measure', 'measure the arithmetic and the memory of the adapter that would be used')
    .option('--json', 'print everything, all features and limits included, as JSON')
    .action(devices),
);

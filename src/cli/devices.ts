#!/usr/bin/env node
/**
 * `devices`: the first thing to run when something about the GPU is unclear. Shows what was found, what was refused
 * and why, and what the other commands would use.
 */
import { adapterChoice, fits } from '../platform/node/adapter-choice.js';
import { adapterTable } from '../platform/node/adapter-table.js';
import { listAdapters } from '../platform/node/list-adapters.js';
import { provideSwiftShader } from '../platform/node/swiftshader.js';
import { command, runCommand } from './command.js';

interface DevicesOptions {
  adapter?: string;
  fetch?: boolean;
  json?: boolean;
}

async function devices(options: DevicesOptions): Promise<void> {
  if (options.fetch) await provideSwiftShader((message) => process.stderr.write(`${message}\n`));
  const adapters = await listAdapters();
  const choice = adapterChoice(options.adapter);
  if (options.json) {
    const chosen = adapters.find((adapter) => adapter.accepted && fits(adapter, choice));
    process.stdout.write(`${JSON.stringify({ choice, chosen: chosen?.name ?? null, adapters }, null, 2)}\n`);
  } else {
    process.stdout.write(`${adapterTable(adapters, choice)}\n`);
  }
}

await runCommand(
  command('devices', 'List the WebGPU adapters of this machine: what can be used, what cannot and why.')
    .option('--adapter <name>', 'mark what this name would choose (default: TAILRAY_ADAPTER, else the best)')
    .option('--fetch', 'fetch SwiftShader first, if this machine does not have it yet')
    .option('--json', 'print everything, all features and limits included, as JSON')
    .action(devices),
);

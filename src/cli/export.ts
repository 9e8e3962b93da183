#!/usr/bin/env node
/** `export`: a trained model for other programs, with a model card beside it. */
import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { requireFreeFile } from '../predict/predictions.js';
import { type CardOutcome, writeModelCard } from '../report/model-card.js';
import { writeAtomically } from '../storage/atomic-file.js';
import { formatByteSize } from '../text/byte-size.js';
import { RunDirectory } from '../train/run/run-directory.js';
import { readCheckpoint } from '../weights/checkpoint.js';
import { checkpointAsOnnx, checkpointAsStateDict } from '../weights/export-checkpoint.js';
import { command, runCommand } from './command.js';

interface ExportFlags {
  readonly onnx?: string;
  readonly safetensors?: string;
  readonly anySize?: boolean;
  readonly data?: string;
  readonly license?: string;
  readonly force?: boolean;
}

const program = command('export')
  .argument('<subject>', 'a run directory, or a checkpoint (.safetensors)')
  .option('--onnx <file>', 'write ONNX: for onnxruntime and most other runtimes')
  .option('--safetensors <file>', 'write the weights alone, by timm’s names: for PyTorch and timm')
  .option('--any-size', 'let the ONNX model take images of any size')
  .option('--data <path>', 'for the card: where the labels are now, if they have moved since training')
  .option('--license <name>', 'for the card: what others may do with the weights, such as cc-by-4.0')
  .option('--force', 'replace files that are there')
  .action(exportModel);

async function exportModel(subject: string, flags: ExportFlags): Promise<void> {
  const files = [flags.onnx, flags.safetensors].filter((file) => file !== undefined);
  if (files.length === 0) {
    program.error('error: say what to write: --onnx model.onnx, --safetensors model.safetensors, or both.');
  }
  const path = (await stat(subject).catch(() => null))?.isDirectory()
    ? new RunDirectory(subject).best
    : subject;
  const checkpoint = await readCheckpoint(path);
  if (!flags.force) for (const file of files) await requireFreeFile(file, 'name');
  const { model, classes, epoch } = checkpoint;
  say(
    `model      ${model.arch} for ${classes.length} classes, ${checkpoint.weights} weights of epoch ${epoch}`,
  );
  if (flags.onnx !== undefined) {
    await write(flags.onnx, checkpointAsOnnx(checkpoint, { path, anyImageSize: flags.anySize ?? false }));
  }
  if (flags.safetensors !== undefined) {
    await write(flags.safetensors, checkpointAsStateDict(checkpoint, path));
  }
  const { data, license } = flags;
  for (const folder of new Set(files.map((file) => dirname(file)))) {
    const outcome = await writeModelCard(path, { out: folder, data, license, force: flags.force });
    say(describeCard(outcome));
  }
}

async function write(path: string, bytes: Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeAtomically(path, bytes);
  say(`written    ${path}, ${formatByteSize(bytes.byteLength)}`);
}

function describeCard({ path, written }: CardOutcome): string {
  return written
    ? `written    ${path}`
    : `kept       ${path}: it is there and says something else; --force replaces it`;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

await runCommand(program);

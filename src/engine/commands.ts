import type { TextureBox, TextureFormat } from './tensor.js';

/** What a run consists of once everything is allocated: dispatches and copies, in order. */
export type Command =
  | {
      readonly kind: 'dispatch';
      readonly pipeline: GPUComputePipeline;
      readonly group: GPUBindGroup;
      readonly grid: readonly [number, number, number];
    }
  | {
      readonly kind: 'copy';
      readonly from: GPUBuffer;
      readonly fromOffset: number;
      readonly to: GPUBuffer;
      readonly toOffset: number;
      readonly bytes: number;
    }
  | {
      readonly kind: 'texture';
      readonly from: GPUBuffer;
      readonly offset: number;
      readonly bytes: number;
      readonly to: GPUTexture;
      readonly box?: TextureBox | undefined;
    };

/** Bytes of a texel of four values. */
export const TEXEL_BYTES: Readonly<Record<TextureFormat, number>> = { rgba32float: 16, rgba16float: 8 };

/** Records commands into one command buffer; dispatches in a row share a compute pass. */
export function recordCommands(
  encoder: GPUCommandEncoder,
  commands: Iterable<{ readonly command: Command }>,
): void {
  let pass: GPUComputePassEncoder | undefined;
  for (const { command } of commands) {
    if (command.kind === 'dispatch') {
      pass ??= encoder.beginComputePass();
      recordDispatch(pass, command);
    } else {
      pass?.end();
      pass = undefined;
      recordCopy(encoder, command);
    }
  }
  pass?.end();
}

export function recordDispatch(pass: GPUComputePassEncoder, step: Command & { kind: 'dispatch' }): void {
  pass.setPipeline(step.pipeline);
  pass.setBindGroup(0, step.group);
  pass.dispatchWorkgroups(...step.grid);
}

export function recordCopy(encoder: GPUCommandEncoder, step: Exclude<Command, { kind: 'dispatch' }>): void {
  if (step.kind === 'copy') {
    encoder.copyBufferToBuffer(step.from, step.fromOffset, step.to, step.toOffset, step.bytes);
    return;
  }
  const { width, height } = step.to;
  const texel = TEXEL_BYTES[step.to.format as TextureFormat];
  if (step.box) {
    const { box } = step;
    encoder.copyBufferToTexture(
      { buffer: step.from, offset: step.offset + box.offset * texel, bytesPerRow: box.pitch * texel },
      { texture: step.to, origin: [box.x, box.y] },
      [box.width, box.height],
    );
    return;
  }
  // Whole rows, then what is left of the last one.
  const bytesPerRow = width * texel;
  const rows = Math.min(height, Math.floor(step.bytes / bytesPerRow));
  const rest = rows < height ? Math.floor((step.bytes % bytesPerRow) / texel) : 0;
  const source = { buffer: step.from, bytesPerRow };
  if (rows > 0)
    encoder.copyBufferToTexture({ ...source, offset: step.offset }, { texture: step.to }, [width, rows]);
  if (rest > 0) {
    const offset = step.offset + rows * bytesPerRow;
    encoder.copyBufferToTexture({ ...source, offset }, { texture: step.to, origin: [0, rows] }, [rest, 1]);
  }
}

import type { TextureBox, TextureFormat } from '../graph/tensor.js';

/** The commands of a run, once everything is allocated: dispatches and copies, in order. */
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
  | { readonly kind: 'texture'; readonly copies: readonly TextureCopy[] };

/** The arguments of `copyBufferToTexture`, made once: a network has hundreds, recorded anew each step. */
export type TextureCopy = Parameters<GPUCommandEncoder['copyBufferToTexture']>;

/** Bytes of a texel of four values. */
export const TEXEL_BYTES: Readonly<Record<TextureFormat, number>> = { rgba32float: 16, rgba16float: 8 };

/** A whole buffer, row by row, or a box of it, into a texture. @param offset in bytes */
export function textureCopies(
  { buffer, offset, bytes }: { readonly buffer: GPUBuffer; readonly offset: number; readonly bytes: number },
  texture: GPUTexture,
  box?: TextureBox,
): TextureCopy[] {
  const { width, height } = texture;
  const texel = TEXEL_BYTES[texture.format as TextureFormat];
  if (box) {
    return [
      [
        { buffer, offset: offset + box.offset * texel, bytesPerRow: box.pitch * texel },
        { texture, origin: [box.x, box.y] },
        [box.width, box.height],
      ],
    ];
  }
  // Whole rows, then the rest of the last one.
  const bytesPerRow = width * texel;
  const rows = Math.min(height, Math.floor(bytes / bytesPerRow));
  const rest = rows < height ? Math.floor((bytes % bytesPerRow) / texel) : 0;
  const copies: TextureCopy[] = [];
  if (rows > 0) copies.push([{ buffer, offset, bytesPerRow }, { texture }, [width, rows]]);
  if (rest > 0) {
    const end = { buffer, offset: offset + rows * bytesPerRow, bytesPerRow };
    copies.push([end, { texture, origin: [0, rows] }, [rest, 1]]);
  }
  return copies;
}

/** Records commands into one command buffer; dispatches in a row share a compute pass. */
export function recordCommands(
  encoder: GPUCommandEncoder,
  commands: Iterable<{ readonly command: Command }>,
): void {
  let pass: GPUComputePassEncoder | undefined;
  let pipeline: GPUComputePipeline | undefined;
  for (const { command } of commands) {
    if (command.kind === 'dispatch') {
      if (!pass) {
        pass = encoder.beginComputePass();
        pipeline = undefined;
      }
      recordDispatch(pass, command, pipeline);
      pipeline = command.pipeline;
    } else {
      pass?.end();
      pass = undefined;
      recordCopy(encoder, command);
    }
  }
  pass?.end();
}

/** @param current the pipeline that the pass has already */
export function recordDispatch(
  pass: GPUComputePassEncoder,
  { pipeline, group, grid: [x, y, z] }: Command & { kind: 'dispatch' },
  current?: GPUComputePipeline,
): void {
  if (pipeline !== current) pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(x, y, z);
}

export function recordCopy(encoder: GPUCommandEncoder, step: Exclude<Command, { kind: 'dispatch' }>): void {
  if (step.kind === 'copy') {
    encoder.copyBufferToBuffer(step.from, step.fromOffset, step.to, step.toOffset, step.bytes);
    return;
  }
  for (const [from, to, size] of step.copies) encoder.copyBufferToTexture(from, to, size);
}

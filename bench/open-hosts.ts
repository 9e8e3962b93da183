import type { OpenHosts } from './compare.js';
import { openJax } from './contenders/jax.js';
import { MissingPeerError } from './contenders/load-peer.js';
import { openOnnx } from './contenders/onnx.js';
import { openPytorch } from './contenders/pytorch.js';
import type { TailrayHost } from './contenders/tailray.js';
import { openTfjs } from './contenders/tfjs.js';
import type { Peer } from './workload.js';

/** Loads the libraries that were asked for and are there. The adapter is shared before, see shared-adapter.ts. */

export interface OpenedHosts {
  readonly hosts: OpenHosts;
  /** Why a library does not take part, a sentence each. */
  readonly missing: readonly string[];
}

export async function openHosts(tailray: TailrayHost, peers: readonly Peer[]): Promise<OpenedHosts> {
  const missing: string[] = [];
  const host = async <T>(peer: Peer, open: () => Promise<T>): Promise<T | undefined> => {
    if (!peers.includes(peer)) return undefined;
    try {
      return await open();
    } catch (error) {
      if (!(error instanceof MissingPeerError)) throw error;
      missing.push(`Without ${peer}: ${error.message}.`);
      return undefined;
    }
  };
  const tfjs = await host('tfjs-webgpu', openTfjs);
  const jax = await host('jax-js', openJax);
  const onnx = await host('onnxruntime-cpu', openOnnx);
  const cpu = await host('pytorch-cpu', () => openPytorch('cpu'));
  const cuda = await host('pytorch-cuda', () => openPytorch('cuda'));
  const half = peers.includes('tailray-f16') && tailray.device.traits.f16;
  const hosts: OpenHosts = {
    tailray,
    ...(half && { 'tailray-f16': tailray }),
    ...(peers.includes('tailray-unfused') && { 'tailray-unfused': tailray }),
    ...(tfjs && { 'tfjs-webgpu': tfjs }),
    ...(jax && { 'jax-js': jax }),
    ...(onnx && { 'onnxruntime-cpu': onnx }),
    ...(cpu && { 'pytorch-cpu': cpu }),
    ...(cuda && { 'pytorch-cuda': cuda }),
  };
  return { hosts, missing };
}

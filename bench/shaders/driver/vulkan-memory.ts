import koffi from 'koffi';
import { BenchError } from '../../bench-error.js';

/** What every call of Vulkan takes: structures in memory, and results to look at. */

export type Pointer = unknown;
export type TypeSpec = Parameters<typeof koffi.sizeof>[0];
export type VulkanCall = (...values: unknown[]) => number;

/** A value in memory that the library may point to; it stays for as long as the process. */
export function stored(type: TypeSpec, value: unknown): Pointer {
  const place = koffi.alloc(type, 1);
  koffi.encode(place, type, value);
  return place;
}

export function check(result: number, what: string): void {
  if (result < 0) throw new BenchError(`the null device refused ${what} (VkResult ${result}).`);
}

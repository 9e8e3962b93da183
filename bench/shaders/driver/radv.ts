import { basename } from 'node:path';
import { driverManifests } from '#src/platform/node/vulkan-drivers.js';
import { onlyDrivers, quietMesa } from '#src/platform/node/vulkan-loader.js';
import { BenchError } from '../../bench-error.js';

/**
 * The environment in which AMD's Vulkan driver (RADV, part of Mesa) is a process's only one, with a device of the family that
 * no hardware stands behind. It counts when the Vulkan loader is first used.
 * @param family RADV's name, e.g. NAVI31 @throws BenchError where the driver is not installed
 */
export function radvEnvironment(family: string): Record<string, string> {
  const manifest = radvManifest();
  if (manifest === undefined) {
    throw new BenchError(
      'the radeon driver of Mesa is not installed: on Debian and Ubuntu run scripts/install-lavapipe.sh, elsewhere ' +
        "install Mesa's Vulkan driver for AMD (Fedora: mesa-vulkan-drivers; Arch: vulkan-radeon).",
    );
  }
  return {
    ...quietMesa(),
    ...onlyDrivers(manifest),
    RADV_FORCE_FAMILY: family,
    MESA_SHADER_CACHE_DISABLE: '1',
  };
}

export function radvManifest(): string | undefined {
  return driverManifests({}).find((path) => /^(radeon|radv)_icd/.test(basename(path)));
}

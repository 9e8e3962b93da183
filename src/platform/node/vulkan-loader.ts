import { constants, tmpdir } from 'node:os';

/**
 * The Vulkan loader (libvulkan.so.1) is shared by a whole process: whoever loads it first decides which one. Dawn asks
 * for it by that name at the first `requestAdapter`, and it then reads the environment to find its drivers.
 */

/** Keeps a library in memory although node closes it again; node's `os.constants.dlopen` lacks it. */
const RTLD_NODELETE = 0x1000;

/** The name that Dawn, and every Vulkan program, loads. */
export const SYSTEM_LOADER = 'libvulkan.so.1';

/**
 * Loads a Vulkan loader into this process and leaves it there, so that a later `dlopen` of the same name finds it.
 * @param path a path, or the bare name to search the system's library folders
 * @returns undefined when it is loaded, else why not
 */
export function loadVulkanLoader(path: string): string | undefined {
  try {
    process.dlopen({ exports: {} }, path, constants.dlopen.RTLD_NOW | RTLD_NODELETE);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    // node loads the library, finds that it is no node add-on, and says so: that is the success case here
    return message.includes('did not self-register') ? undefined : message;
  }
  return undefined;
}

/** The environment that makes the loader use the drivers of these manifests and no others. */
export function onlyDrivers(manifests: string): Record<string, string> {
  // loaders before 1.3.207 know only the second name
  return { VK_DRIVER_FILES: manifests, VK_ICD_FILENAMES: manifests };
}

/** What keeps Mesa from writing remarks to stderr that concern windows or conformance. */
export function quietMesa(): Record<string, string> {
  return {
    MESA_VK_IGNORE_CONFORMANCE_WARNING: 'true',
    ...(process.env.XDG_RUNTIME_DIR ? {} : { XDG_RUNTIME_DIR: tmpdir() }),
  };
}

/**
 * Runs `work` with environment variables set and puts the old values back, so that child processes and later adapters
 * are not bound by this one's choice. Calls queue up: the environment is the process's.
 */
export function withEnvironment<T>(variables: Record<string, string>, work: () => Promise<T>): Promise<T> {
  const result = queue.then(async () => {
    const before = Object.keys(variables).map((name) => [name, process.env[name]] as const);
    Object.assign(process.env, variables);
    try {
      return await work();
    } finally {
      for (const [name, value] of before) {
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      }
    }
  });
  queue = result.catch(() => undefined);
  return result;
}

let queue: Promise<unknown> = Promise.resolve();

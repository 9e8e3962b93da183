import koffi, { type LibraryHandle } from 'koffi';
import { BenchError } from '../../bench-error.js';
import { check, type Pointer, stored, type TypeSpec, type VulkanCall } from './vulkan-memory.js';
import {
  ApplicationInfo,
  DeviceCreateInfo,
  ExtensionProperties,
  featureStruct,
  InstanceCreateInfo,
  QueueCreateInfo,
  TYPE,
} from './vulkan-types.js';

/** A Vulkan device of the one driver that the environment names, with all features that it has. */
export interface OpenedVulkan {
  readonly device: Pointer;
  /** The physical device's. */
  readonly name: string;
  /** Of the driver, e.g. 25.0.7. */
  readonly version: string;
  /** A function of the loader. */
  call(name: string, ...parameters: TypeSpec[]): VulkanCall;
  /** A function of the driver itself, and where it lies. @throws BenchError where it has none of the name */
  own(name: string, ...parameters: TypeSpec[]): VulkanCall;
  find(name: string): Pointer;
}

/** How many switches the structures of features have: Vulkan 1.0, 1.1, 1.2, 1.3 and those of extensions. */
const FEATURES: readonly (readonly [type: number, switches: number])[] = [
  [TYPE.physicalDeviceFeatures2, 55],
  [49, 12],
  [51, 47],
  [53, 15],
  [TYPE.executableFeatures, 1],
  [1_000_286_000, 3],
  [TYPE.cooperativeMatrixFeatures, 2],
];
const EXTENSIONS = ['VK_KHR_pipeline_executable_properties', 'VK_EXT_robustness2'];
/** Families before RDNA 3 have no matrix instructions. */
const MATRIX_EXTENSION = 'VK_KHR_cooperative_matrix';
const VULKAN_1_3 = (1 << 22) | (3 << 12);

/** @throws BenchError */
export function openVulkan(): OpenedVulkan {
  const library = koffi.load('libvulkan.so.1');
  const call = (name: string, ...parameters: TypeSpec[]): VulkanCall => library.func(name, 'int', parameters);
  const address = 'void *';
  const instance = createInstance(call('vkCreateInstance', address, address, address));
  const physical = firstDevice(call('vkEnumeratePhysicalDevices', address, address, address), instance);
  const features = featureChain();
  library.func('vkGetPhysicalDeviceFeatures2', 'void', [address, address])(physical, features);
  const list = call('vkEnumerateDeviceExtensionProperties', address, address, address, address);
  const extensions = extensionsOf(list, physical).includes(MATRIX_EXTENSION)
    ? [...EXTENSIONS, MATRIX_EXTENSION]
    : EXTENSIONS;
  const create = call('vkCreateDevice', address, address, address, address);
  const device = createDevice(create, physical, features, extensions);
  const ask = library.func('vkGetDeviceProcAddr', address, [address, 'str']);
  const find = (name: string): Pointer => {
    const pointer = ask(device, name);
    if (!pointer) throw new BenchError(`the driver has no ${name}.`);
    return pointer;
  };
  const own = (name: string, ...parameters: TypeSpec[]): VulkanCall => {
    const type = koffi.proto('int', parameters);
    const pointer = find(name);
    return (...values) => koffi.call(pointer, type, ...values);
  };
  return { device, ...identityOf(library, physical), call, own, find };
}

function createInstance(create: VulkanCall): Pointer {
  const application = {
    sType: TYPE.applicationInfo,
    pNext: null,
    applicationName: 'tailray shaders',
    applicationVersion: 1,
    engineName: '',
    engineVersion: 1,
    apiVersion: VULKAN_1_3,
  };
  const info = {
    sType: TYPE.instanceCreateInfo,
    pNext: null,
    flags: 0,
    applicationInfo: stored(ApplicationInfo, application),
    layerCount: 0,
    layers: null,
    extensionCount: 0,
    extensions: null,
  };
  const handle = koffi.alloc('void *', 1);
  check(create(stored(InstanceCreateInfo, info), null, handle), 'a Vulkan instance');
  return koffi.decode(handle, 'void *');
}

function firstDevice(enumerate: VulkanCall, instance: Pointer): Pointer {
  const count = stored('uint32', 1);
  const handle = koffi.alloc('void *', 1);
  enumerate(instance, count, handle);
  if (Number(koffi.decode(count, 'uint32')) === 0) {
    throw new BenchError('the radeon driver shows no null device; is RADV_FORCE_FAMILY a family it knows?');
  }
  return koffi.decode(handle, 'void *');
}

function extensionsOf(enumerate: VulkanCall, physical: Pointer): string[] {
  const count = stored('uint32', 0);
  check(enumerate(physical, null, count, null), 'its extensions');
  const length = Number(koffi.decode(count, 'uint32'));
  const list = koffi.alloc(ExtensionProperties, length);
  check(enumerate(physical, null, count, list), 'its extensions');
  return Array.from({ length }, (_, i) => {
    const at = i * koffi.sizeof(ExtensionProperties);
    return String(koffi.decode(list, at, ExtensionProperties).name);
  });
}

function featureChain(): Pointer {
  return FEATURES.reduceRight<Pointer>((next, [sType, switches]) => {
    const enabled = new Array<number>(switches).fill(0);
    return stored(featureStruct(switches), { sType, pNext: next, enabled });
  }, null);
}

/** With all that the driver has: the features that it told are the ones asked for. */
function createDevice(
  create: VulkanCall,
  physical: Pointer,
  features: Pointer,
  extensions: readonly string[],
): Pointer {
  const queue = { sType: TYPE.queueCreateInfo, pNext: null, flags: 0, family: 0, count: 1 };
  const names = koffi.alloc('str', extensions.length);
  extensions.forEach((name, i) => {
    koffi.encode(names, i * koffi.sizeof('str'), 'str', name);
  });
  const info = {
    sType: TYPE.deviceCreateInfo,
    pNext: features,
    flags: 0,
    queueCount: 1,
    queues: stored(QueueCreateInfo, { ...queue, priorities: stored('float', 1) }),
    layerCount: 0,
    layers: null,
    extensionCount: extensions.length,
    extensions: names,
    features: null,
  };
  const handle = koffi.alloc('void *', 1);
  check(create(physical, stored(DeviceCreateInfo, info), null, handle), 'the null device');
  return koffi.decode(handle, 'void *');
}

/** A VkPhysicalDeviceProperties begins with five numbers, the second being the driver's version; then comes the name. */
function identityOf(library: LibraryHandle, physical: Pointer): { name: string; version: string } {
  const bytes = 4096;
  const properties = koffi.alloc('char', bytes);
  library.func('vkGetPhysicalDeviceProperties', 'void', ['void *', 'void *'])(physical, properties);
  const type = koffi.struct({ numbers: koffi.array('uint32', 5), name: koffi.array('char', 256, 'String') });
  const { name, numbers } = koffi.decode(properties, type);
  const packed = Number(numbers[1]);
  return { name, version: `${packed >>> 22}.${(packed >>> 12) & 0x3ff}.${packed & 0xfff}` };
}

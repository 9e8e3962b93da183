import { readFileSync } from 'node:fs';
import koffi, { type LibraryHandle, type TypeObject } from 'koffi';

import { BenchError } from '../bench-error.js';
import { radvEnvironment } from './radv.js';
import type { SpirvModule } from './spirv.js';
import {
  ApplicationInfo,
  ComputePipelineCreateInfo,
  DescriptorSetLayoutBinding,
  DescriptorSetLayoutCreateInfo,
  DeviceCreateInfo,
  ExecutableInfo,
  ExecutableProperties,
  ExecutableRepresentation,
  ExecutableStatistic,
  featureStruct,
  InstanceCreateInfo,
  PipelineInfo,
  PipelineLayoutCreateInfo,
  QueueCreateInfo,
  RequiredSubgroupSize,
  ShaderModuleCreateInfo,
  TYPE,
} from './vulkan-types.js';

/**
 * RADV's null device: AMD's Vulkan driver on a machine without an AMD GPU. It compiles pipelines with the real compiler
 * and tells statistics and machine code (VK_KHR_pipeline_executable_properties). Nothing can run on it, and nothing is
 * recorded here.
 */
export interface Compiled {
  /** The driver's own, by its names for them: `VGPRs`, `Code size`, … */
  readonly statistics: ReadonlyMap<string, number>;
  /** The machine code as text, block by block. */
  readonly assembly: string;
  /** The compiler's own form before registers were given out: its first line tells where arguments arrive. */
  readonly startOfProgram: string;
  /** The shader in Mesa's own language, as it goes into the compiler. */
  readonly nir: string;
  /** Lanes of a subgroup, which a wave is. */
  readonly waveLanes: number;
}

export interface NullDevice {
  /** @throws BenchError when the driver refuses the module */
  compile(module: SpirvModule): Compiled;
  /** The physical device's name, with the family. */
  readonly name: string;
  /** RADV's name of it. */
  readonly family: string;
  /** Of the driver, e.g. 25.0.7. */
  readonly version: string;
  /** Where one of the driver's functions lies, for another process that loads the same driver. */
  placeOf(call: string): { readonly library: string; readonly offset: number };
}

type Pointer = unknown;
type TypeSpec = Parameters<typeof koffi.sizeof>[0];
type VulkanCall = (...values: unknown[]) => number;

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
const EXTENSIONS = [
  'VK_KHR_pipeline_executable_properties',
  'VK_EXT_robustness2',
  'VK_KHR_cooperative_matrix',
];
const COMPUTE_STAGE = 0x20;
const UNIFORM_BUFFER = 6;
const STORAGE_BUFFER = 7;
const STORAGE_IMAGE = 3;
/** Statistics and internal representations are kept for the asking. */
const CAPTURE = 0x40 | 0x80;
const VULKAN_1_3 = (1 << 22) | (3 << 12);

/**
 * Opens the null device of an AMD family, in this process's environment: it keeps the first that it opens.
 * @param family RADV's name, e.g. NAVI31 @throws BenchError
 */
export function openNullDevice(family: string): NullDevice {
  Object.assign(process.env, radvEnvironment(family));
  const library = koffi.load('libvulkan.so.1');
  const call = (name: string, ...parameters: TypeSpec[]): VulkanCall => library.func(name, 'int', parameters);
  const address = 'void *';
  const instance = createInstance(call('vkCreateInstance', address, address, address));
  const physical = firstDevice(call('vkEnumeratePhysicalDevices', address, address, address), instance);
  const features = featureChain();
  library.func('vkGetPhysicalDeviceFeatures2', 'void', [address, address])(physical, features);
  const device = createDevice(call('vkCreateDevice', address, address, address, address), physical, features);
  const find = library.func('vkGetDeviceProcAddr', address, [address, 'str']);
  const own = (name: string, ...parameters: TypeSpec[]): VulkanCall => {
    const type = koffi.proto('int', parameters);
    const pointer = find(device, name);
    if (!pointer) throw new BenchError(`the driver has no ${name}.`);
    return (...values) => koffi.call(pointer, type, ...values);
  };
  const lists = [address, address, address, address];
  return new RadvNullDevice(
    device,
    {
      module: call('vkCreateShaderModule', ...lists),
      setLayout: call('vkCreateDescriptorSetLayout', ...lists),
      layout: call('vkCreatePipelineLayout', ...lists),
      pipelines: call('vkCreateComputePipelines', address, 'uint64', 'uint32', address, address, address),
      statistics: own('vkGetPipelineExecutableStatisticsKHR', ...lists),
      properties: own('vkGetPipelineExecutablePropertiesKHR', ...lists),
      representations: own('vkGetPipelineExecutableInternalRepresentationsKHR', ...lists),
    },
    { ...identityOf(library, physical), family, find: (call) => find(device, call) },
  );
}

interface Calls {
  readonly module: VulkanCall;
  readonly setLayout: VulkanCall;
  readonly layout: VulkanCall;
  readonly pipelines: VulkanCall;
  readonly statistics: VulkanCall;
  readonly representations: VulkanCall;
  readonly properties: VulkanCall;
}

interface Driver {
  readonly family: string;
  readonly name: string;
  readonly version: string;
  readonly find: (call: string) => Pointer;
}

class RadvNullDevice implements NullDevice {
  readonly name: string;
  readonly family: string;
  readonly version: string;
  readonly #device: Pointer;
  readonly #calls: Calls;
  readonly #find: Driver['find'];

  constructor(device: Pointer, calls: Calls, { name, family, version, find }: Driver) {
    this.#device = device;
    this.#calls = calls;
    this.#find = find;
    this.name = name;
    this.family = family;
    this.version = version;
  }

  placeOf(call: string): { library: string; offset: number } {
    const address = koffi.address(this.#find(call));
    const mappings = readFileSync('/proc/self/maps', 'utf8').split('\n').map(readMapping);
    const path = mappings.find(({ from, to }) => from <= address && address < to)?.path;
    const first = mappings.find((mapping) => mapping.path === path);
    if (!path || !first) throw new BenchError(`the driver's ${call} lies in no library.`);
    return { library: path, offset: Number(address - first.from) };
  }

  compile(module: SpirvModule): Compiled {
    const pipeline = this.#pipeline(module);
    const info = stored(ExecutableInfo, { sType: TYPE.executableInfo, pNext: null, pipeline, index: 0 });
    const [properties] = this.#all(
      this.#calls.properties,
      stored(PipelineInfo, { sType: TYPE.pipelineInfo, pNext: null, pipeline }),
      ExecutableProperties,
      TYPE.executableProperties,
    );
    const statistics = this.#all(this.#calls.statistics, info, ExecutableStatistic, TYPE.executableStatistic);
    const representations = this.#representations(info);
    return {
      statistics: new Map(statistics.map(({ name, value }) => [String(name), Number(value)])),
      assembly: representations.get('Assembly') ?? '',
      waveLanes: Number(properties?.subgroupSize),
      nir: representations.get('NIR Shader(s)') ?? '',
      startOfProgram:
        [...representations.values()].flatMap((text) => /^.*p_startpgm.*$/m.exec(text) ?? [])[0] ?? '',
    };
  }

  #pipeline({ words, bindings, entry, subgroupSize }: SpirvModule): bigint {
    const shader = this.#create(this.#calls.module, 'the shader', ShaderModuleCreateInfo, {
      sType: TYPE.shaderModuleCreateInfo,
      pNext: null,
      flags: 0,
      size: words.byteLength,
      code: words,
    });
    const types = { uniform: UNIFORM_BUFFER, storage: STORAGE_BUFFER, image: STORAGE_IMAGE };
    const descriptors = koffi.alloc(DescriptorSetLayoutBinding, Math.max(1, bindings.length));
    bindings.forEach(({ number, kind }, i) => {
      const binding = { binding: number, type: types[kind], count: 1, stages: COMPUTE_STAGE, samplers: null };
      koffi.encode(
        descriptors,
        i * koffi.sizeof(DescriptorSetLayoutBinding),
        DescriptorSetLayoutBinding,
        binding,
      );
    });
    const set = this.#create(this.#calls.setLayout, 'its bindings', DescriptorSetLayoutCreateInfo, {
      sType: TYPE.descriptorSetLayoutCreateInfo,
      pNext: null,
      flags: 0,
      count: bindings.length,
      bindings: descriptors,
    });
    const layout = this.#create(this.#calls.layout, 'its layout', PipelineLayoutCreateInfo, {
      sType: TYPE.pipelineLayoutCreateInfo,
      pNext: null,
      flags: 0,
      setCount: 1,
      sets: stored('uint64', set),
      rangeCount: 0,
      ranges: null,
    });
    const info = stored(ComputePipelineCreateInfo, {
      sType: TYPE.computePipelineCreateInfo,
      pNext: null,
      flags: CAPTURE,
      stage: {
        sType: TYPE.shaderStageCreateInfo,
        pNext:
          subgroupSize === undefined
            ? null
            : stored(RequiredSubgroupSize, { sType: TYPE.requiredSubgroupSize, pNext: null, subgroupSize }),
        flags: 0,
        stage: COMPUTE_STAGE,
        module: shader,
        name: entry,
        specialization: null,
      },
      layout,
      base: 0,
      baseIndex: -1,
    });
    const handle = koffi.alloc('uint64', 1);
    check(this.#calls.pipelines(this.#device, 0, 1, info, null, handle), 'the pipeline');
    return BigInt(koffi.decode(handle, 'uint64'));
  }

  #create(make: VulkanCall, what: string, type: TypeObject, fields: object): bigint {
    const handle = koffi.alloc('uint64', 1);
    check(make(this.#device, stored(type, fields), null, handle), what);
    return BigInt(koffi.decode(handle, 'uint64'));
  }

  #representations(info: Pointer): Map<string, string> {
    const type = ExecutableRepresentation;
    const ask = this.#calls.representations;
    const sizes = this.#all(ask, info, type, TYPE.executableRepresentation);
    const count = stored('uint32', sizes.length);
    const list = koffi.alloc(type, sizes.length);
    const texts = sizes.map(({ size }, i) => {
      const data = koffi.alloc('char', Number(size));
      const blank = {
        sType: TYPE.executableRepresentation,
        pNext: null,
        name: '',
        description: '',
        isText: 0,
      };
      koffi.encode(list, i * koffi.sizeof(type), type, { ...blank, size, data });
      return { data, bytes: Number(size) };
    });
    check(ask(this.#device, info, count, list), 'its machine code');
    return new Map(
      sizes.map(({ name }, i) => {
        const { data, bytes } = texts[i]!;
        const text = Buffer.from(koffi.view(data, bytes)).toString('latin1').replace(/\0.*$/s, '');
        return [String(name), text];
      }),
    );
  }

  /** Vulkan's way of giving lists: asked first for the length, then for the elements. */
  #all(ask: VulkanCall, info: Pointer, type: TypeObject, sType: number): Record<string, unknown>[] {
    const count = stored('uint32', 0);
    check(ask(this.#device, info, count, null), 'its properties');
    const length = Number(koffi.decode(count, 'uint32'));
    const list = koffi.alloc(type, length);
    for (let i = 0; i < length; i++) {
      koffi.encode(list, i * koffi.sizeof(type), 'uint32', sType);
    }
    check(ask(this.#device, info, count, list), 'its properties');
    return Array.from({ length }, (_, i) => koffi.decode(list, i * koffi.sizeof(type), type));
  }
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

function featureChain(): Pointer {
  return FEATURES.reduceRight<Pointer>((next, [sType, switches]) => {
    const enabled = new Array<number>(switches).fill(0);
    return stored(featureStruct(switches), { sType, pNext: next, enabled });
  }, null);
}

/** With all that the driver has: the features that it told are the ones asked for. */
function createDevice(create: VulkanCall, physical: Pointer, features: Pointer): Pointer {
  const queue = { sType: TYPE.queueCreateInfo, pNext: null, flags: 0, family: 0, count: 1 };
  const names = koffi.alloc('str', EXTENSIONS.length);
  EXTENSIONS.forEach((name, i) => {
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
    extensionCount: EXTENSIONS.length,
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

function readMapping(line: string): { from: bigint; to: bigint; path: string } {
  const [, from = '0', to = '0', path = ''] = /^(\w+)-(\w+) \S+ \S+ \S+ \S+\s*(.*)$/.exec(line) ?? [];
  return { from: BigInt(`0x${from}`), to: BigInt(`0x${to}`), path };
}

/** A value in memory that the library may point to; it stays for as long as the process. */
function stored(type: TypeSpec, value: unknown): Pointer {
  const place = koffi.alloc(type, 1);
  koffi.encode(place, type, value);
  return place;
}

function check(result: number, what: string): void {
  if (result < 0) throw new BenchError(`the null device refused ${what} (VkResult ${result}).`);
}

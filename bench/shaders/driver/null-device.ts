import { readFileSync } from 'node:fs';
import koffi, { type TypeObject } from 'koffi';
import { BenchError } from '../../bench-error.js';
import { type OpenedVulkan, openVulkan } from './open-vulkan.js';
import { radvEnvironment } from './radv.js';
import type { SpirvModule } from './spirv.js';
import { check, type Pointer, stored, type VulkanCall } from './vulkan-memory.js';
import {
  ComputePipelineCreateInfo,
  DescriptorSetLayoutBinding,
  DescriptorSetLayoutCreateInfo,
  ExecutableInfo,
  ExecutableProperties,
  ExecutableRepresentation,
  ExecutableStatistic,
  PipelineInfo,
  PipelineLayoutCreateInfo,
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

const COMPUTE_STAGE = 0x20;
const UNIFORM_BUFFER = 6;
const STORAGE_BUFFER = 7;
const STORAGE_IMAGE = 3;
/** Statistics and internal representations are kept for the asking. */
const CAPTURE = 0x40 | 0x80;

/**
 * Opens the null device of an AMD family, in this process's environment: it keeps the first that it opens.
 * @param family RADV's name, e.g. NAVI31 @throws BenchError
 */
export function openNullDevice(family: string): NullDevice {
  Object.assign(process.env, radvEnvironment(family));
  return new RadvNullDevice(openVulkan(), family);
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

class RadvNullDevice implements NullDevice {
  readonly name: string;
  readonly family: string;
  readonly version: string;
  readonly #device: Pointer;
  readonly #find: OpenedVulkan['find'];
  readonly #calls: Calls;

  constructor({ device, name, version, find, call, own }: OpenedVulkan, family: string) {
    const address = 'void *';
    const lists = [address, address, address, address];
    this.#device = device;
    this.#find = find;
    this.name = name;
    this.family = family;
    this.version = version;
    this.#calls = {
      module: call('vkCreateShaderModule', ...lists),
      setLayout: call('vkCreateDescriptorSetLayout', ...lists),
      layout: call('vkCreatePipelineLayout', ...lists),
      pipelines: call('vkCreateComputePipelines', address, 'uint64', 'uint32', address, address, address),
      statistics: own('vkGetPipelineExecutableStatisticsKHR', ...lists),
      properties: own('vkGetPipelineExecutablePropertiesKHR', ...lists),
      representations: own('vkGetPipelineExecutableInternalRepresentationsKHR', ...lists),
    };
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

function readMapping(line: string): { from: bigint; to: bigint; path: string } {
  const [, from = '0', to = '0', path = ''] = /^(\w+)-(\w+) \S+ \S+ \S+ \S+\s*(.*)$/.exec(line) ?? [];
  return { from: BigInt(`0x${from}`), to: BigInt(`0x${to}`), path };
}

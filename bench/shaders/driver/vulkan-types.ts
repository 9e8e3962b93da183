import koffi from 'koffi';

/**
 * The few structures of Vulkan that creating a compute pipeline takes, with the field order of vulkan_core.h; koffi
 * derives sizes and offsets. Each begins with a number for its type and a pointer to a further structure.
 */

const head = { sType: 'uint32', pNext: 'void *' } as const;
const text = koffi.array('char', 256, 'String');

export const ApplicationInfo = koffi.struct({
  ...head,
  applicationName: 'str',
  applicationVersion: 'uint32',
  engineName: 'str',
  engineVersion: 'uint32',
  apiVersion: 'uint32',
});

export const InstanceCreateInfo = koffi.struct({
  ...head,
  flags: 'uint32',
  applicationInfo: koffi.pointer(ApplicationInfo),
  layerCount: 'uint32',
  layers: 'void *',
  extensionCount: 'uint32',
  extensions: 'void *',
});

export const QueueCreateInfo = koffi.struct({
  ...head,
  flags: 'uint32',
  family: 'uint32',
  count: 'uint32',
  priorities: koffi.pointer('float'),
});

export const DeviceCreateInfo = koffi.struct({
  ...head,
  flags: 'uint32',
  queueCount: 'uint32',
  queues: koffi.pointer(QueueCreateInfo),
  layerCount: 'uint32',
  layers: 'void *',
  extensionCount: 'uint32',
  extensions: 'str *',
  features: 'void *',
});

export const ExtensionProperties = koffi.struct({ name: text, version: 'uint32' });

/** A structure of features: nothing but switches. */
export function featureStruct(switches: number) {
  return koffi.struct({ ...head, enabled: koffi.array('uint32', switches) });
}

export const ShaderModuleCreateInfo = koffi.struct({
  ...head,
  flags: 'uint32',
  size: 'size_t',
  code: 'void *',
});

export const DescriptorSetLayoutBinding = koffi.struct({
  binding: 'uint32',
  type: 'uint32',
  count: 'uint32',
  stages: 'uint32',
  samplers: 'void *',
});

export const DescriptorSetLayoutCreateInfo = koffi.struct({
  ...head,
  flags: 'uint32',
  count: 'uint32',
  bindings: koffi.pointer(DescriptorSetLayoutBinding),
});

export const PipelineLayoutCreateInfo = koffi.struct({
  ...head,
  flags: 'uint32',
  setCount: 'uint32',
  sets: koffi.pointer('uint64'),
  rangeCount: 'uint32',
  ranges: 'void *',
});

const ShaderStageCreateInfo = koffi.struct({
  ...head,
  flags: 'uint32',
  stage: 'uint32',
  module: 'uint64',
  name: 'str',
  specialization: 'void *',
});

export const ComputePipelineCreateInfo = koffi.struct({
  ...head,
  flags: 'uint32',
  stage: ShaderStageCreateInfo,
  layout: 'uint64',
  base: 'uint64',
  baseIndex: 'int32',
});

/** What a stage may have behind it: the lanes of its subgroups. */
export const RequiredSubgroupSize = koffi.struct({ ...head, subgroupSize: 'uint32' });

export const PipelineInfo = koffi.struct({ ...head, pipeline: 'uint64' });

export const ExecutableProperties = koffi.struct({
  ...head,
  stages: 'uint32',
  name: text,
  description: text,
  subgroupSize: 'uint32',
});

/** Names a pipeline's executable: number `index` of it. */
export const ExecutableInfo = koffi.struct({ ...head, pipeline: 'uint64', index: 'uint32' });

export const ExecutableStatistic = koffi.struct({
  ...head,
  name: text,
  description: text,
  format: 'uint32',
  value: 'uint64',
});

export const ExecutableRepresentation = koffi.struct({
  ...head,
  name: text,
  description: text,
  isText: 'uint32',
  size: 'size_t',
  data: 'void *',
});

export const TYPE = {
  applicationInfo: 0,
  instanceCreateInfo: 1,
  queueCreateInfo: 2,
  deviceCreateInfo: 3,
  shaderModuleCreateInfo: 16,
  shaderStageCreateInfo: 18,
  computePipelineCreateInfo: 29,
  pipelineLayoutCreateInfo: 30,
  descriptorSetLayoutCreateInfo: 32,
  physicalDeviceFeatures2: 1_000_059_000,
  executableFeatures: 1_000_269_000,
  requiredSubgroupSize: 1_000_225_001,
  pipelineInfo: 1_000_269_001,
  executableProperties: 1_000_269_002,
  executableInfo: 1_000_269_003,
  executableStatistic: 1_000_269_004,
  executableRepresentation: 1_000_269_005,
  cooperativeMatrixFeatures: 1_000_506_000,
} as const;

// @ts-check
/**
 * A process of its own that says what one Vulkan driver offers, run by list-adapters.ts: a broken driver can only take
 * this process down, and what Dawn writes about a refused device to stderr can be read. Plain JavaScript, so that it
 * also runs from the sources. The environment says which driver; the first argument, if any, is a Vulkan loader to use.
 * Its last line of output is a JSON array of what `describeAdapter` takes.
 */
import { constants } from 'node:os';
import { create } from 'webgpu';

const [loader] = process.argv.slice(2);
if (loader) {
  try {
    // 0x1000 is RTLD_NODELETE, see vulkan-loader.ts
    process.dlopen({ exports: {} }, loader, constants.dlopen.RTLD_NOW | 0x1000);
  } catch {
    // node always throws here: the library is no node add-on. It stays loaded, which is what is wanted.
  }
}

const backend = process.platform === 'linux' ? ['backend=vulkan'] : [];
// Only to list what there is: no device is made here.
const toggles = ['enable-dawn-features=vulkan_enable_f16_on_nvidia,allow_unsafe_apis'];
/** @type {GPU[]} Dawn crashes when one of these is collected while in use. */
const alive = [];

/**
 * @param {string} [name]
 * @returns {Promise<GPUAdapter | null>}
 */
async function request(name) {
  const gpu = create([...backend, ...toggles, ...(name === undefined ? [] : [`adapter=${name}`])]);
  alive.push(gpu);
  return gpu.requestAdapter({ powerPreference: 'high-performance' });
}

/** @returns {Promise<string[]>} */
async function deviceNames() {
  try {
    await request('no device is called this');
    return [];
  } catch (error) {
    return Array.from(String(error).matchAll(/, name: '(.*)'$/gm), (match) => match[1] ?? '');
  }
}

/** @param {GPUAdapter} adapter */
function plainData(adapter) {
  const { vendor, architecture, device, description, isFallbackAdapter } = adapter.info;
  const { subgroupMinSize, subgroupMaxSize } = adapter.info;
  /** @type {Iterable<Record<string, unknown>>} */
  const configs = Reflect.get(adapter.info, 'subgroupMatrixConfigs') ?? [];
  const subgroupMatrixConfigs = Array.from(configs, ({ M, N, K, componentType, resultComponentType }) => ({
    M,
    N,
    K,
    componentType,
    resultComponentType,
  }));
  /** @type {Record<string, number>} */
  const limits = {};
  for (const name in adapter.limits) limits[name] = Reflect.get(adapter.limits, name);
  return {
    info: {
      vendor,
      architecture,
      device,
      description,
      isFallbackAdapter,
      subgroupMinSize,
      subgroupMaxSize,
      subgroupMatrixConfigs,
    },
    features: [...adapter.features],
    limits,
  };
}

const fastest = await request();
const facts = fastest ? [plainData(fastest)] : [];
for (const name of fastest ? await deviceNames() : []) {
  const adapter = await request(name);
  if (adapter && facts.every(({ info }) => info.device !== adapter.info.device))
    facts.push(plainData(adapter));
}
process.stdout.write(`\n${JSON.stringify(facts)}`);

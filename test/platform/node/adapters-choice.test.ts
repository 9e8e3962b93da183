import { describe, expect, test } from 'vitest';
import { adapterChoice, byPreference, fits } from '../../../src/platform/node/adapter-choice.js';
import { type AcceptedAdapter, describeAdapter } from '../../../src/platform/node/adapter-report.js';
import { adapterTable } from '../../../src/platform/node/adapter-table.js';

function adapter(device: string, description: string, isFallbackAdapter: boolean): AcceptedAdapter {
  const info = { vendor: '', architecture: '', device, description, isFallbackAdapter };
  const limits = { maxBufferSize: 2 ** 32 - 1, maxStorageBufferBindingSize: 2 ** 27, maxBindGroups: 4 };
  return describeAdapter({ info, features: new Set(['subgroups', 'bgra8unorm-storage']), limits }, 'Vulkan');
}

const H100 = adapter('nvidia-h100-80gb-hbm3', 'NVIDIA: 550.54', false);
const LAVAPIPE = adapter('llvmpipe-llvm-15', 'llvmpipe: Mesa 25.0.7 (LLVM 15.0.6)', true);
const SWIFTSHADER = adapter('swiftshader-device-subzero-', 'SwiftShader driver 5.0.0', true);
const WARP = adapter('microsoft-basic-render-driver', 'D3D12 driver version 10.0', true);

describe('describeAdapter', () => {
  test('tells hardware from the software adapters by what they call themselves', () => {
    const kinds = [H100, LAVAPIPE, SWIFTSHADER, WARP].map(({ kind }) => kind);
    expect(kinds).toEqual(['gpu', 'lavapipe', 'swiftshader', 'software']);
  });

  test('reads limits that live on the prototype, as those of a GPUAdapter do', () => {
    const limits = Object.create({ maxBindGroups: 4, toString: () => 'not a limit' });
    const { info } = {
      info: { vendor: '', architecture: '', device: 'x', description: '', isFallbackAdapter: false },
    };
    const report = describeAdapter({ info, features: [], limits }, 'Metal');
    expect(report.limits).toEqual({ maxBindGroups: 4 });
    expect(report.description).toBe('x');
  });
});

describe('choice', () => {
  test('what is said goes before TAILRAY_ADAPTER, an empty word included', () => {
    expect(adapterChoice(' GPU ', { TAILRAY_ADAPTER: 'lavapipe' })).toBe('gpu');
    expect(adapterChoice(undefined, { TAILRAY_ADAPTER: 'LavaPipe' })).toBe('lavapipe');
    expect(adapterChoice('', { TAILRAY_ADAPTER: 'lavapipe' })).toBe('');
    expect(adapterChoice(undefined, {})).toBe('');
  });

  test.each([
    ['gpu', [H100]],
    ['lavapipe', [LAVAPIPE]],
    ['swiftshader', [SWIFTSHADER]],
    ['software', [WARP]],
    ['h100 80gb', [H100]],
    ['mesa 25', [LAVAPIPE]],
    ['driver', [SWIFTSHADER, WARP]],
    ['rtx', []],
  ])('%s', (choice, expected) => {
    expect([H100, LAVAPIPE, SWIFTSHADER, WARP].filter((each) => fits(each, choice))).toEqual(expected);
  });

  test('hardware goes first and SwiftShader last', () => {
    const sorted = [SWIFTSHADER, WARP, LAVAPIPE, H100].sort(byPreference);
    expect(sorted).toEqual([H100, LAVAPIPE, WARP, SWIFTSHADER]);
  });
});

describe('adapterTable', () => {
  const refused = (name: string, reason: string) =>
    ({ accepted: false, name, driver: `/etc/${name}_icd.json`, reason }) as const;

  test('marks the adapter that will be used and says sizes in units', () => {
    const table = adapterTable([LAVAPIPE, SWIFTSHADER], 'swift');
    expect(table).toMatch(/^→ swiftshader/m);
    expect(table).toMatch(/^ {2}lavapipe/m);
    expect(table).toContain('128 MiB a binding');
    expect(table).toContain('subgroups, and 1 more');
    expect(table).toContain('Commands will use swiftshader');
  });

  test('groups drivers that are refused for one reason', () => {
    const table = adapterTable([LAVAPIPE, refused('intel', 'no device'), refused('radeon', 'no device')], '');
    expect(table).toContain('intel, radeon: no device');
  });

  test('without any adapter, says that SwiftShader will be fetched, or that a name fits nothing', () => {
    const none = [refused('swiftshader', 'not fetched yet')];
    expect(adapterTable(none, '')).toContain('will fetch SwiftShader');
    expect(adapterTable(none, 'rtx')).toContain('"rtx" is asked for. No adapter fits');
  });
});

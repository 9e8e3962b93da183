import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { temporaryFolder } from '../../data/temporary-folder.js';
import { expectRefusal, type Hostile } from './expect-refusal.js';
import {
  ascii,
  BUILD,
  type Code,
  call,
  dict,
  FALSE,
  global,
  int,
  list,
  long,
  MARK,
  NONE,
  orderedDict,
  program,
  REDUCE,
  STOP,
  storage,
  TRUE,
  tensor,
  text,
  torchZip,
  tuple,
  type View,
} from './torch-zip.js';

/** Files that were built to do harm where they are believed: each ends in an error that says why. */

const data = new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer);
const sound = tensor({ shape: [4], strides: [1] });
const state = (value: Code) => program(dict([['w', value]]));
const view = (changed: Partial<View>) => state(tensor({ shape: [4], strides: [1], ...changed }));
const repeated = (count: number, code: Code): number[] => Array.from({ length: count }, () => code).flat();
const system = (command: string) => call(global('os', 'system'), text(command));

describe('a hostile pickle', () => {
  test.each<readonly [...Hostile, pickle: readonly number[]]>([
    ['os.system', 'refused', /asks for "os\.system"/, program(system('true'))],
    [
      'posix.system under a tensor’s name',
      'refused',
      /"posix\.system"/,
      state(call(global('posix', 'system'), text('true'))),
    ],
    ['a name from the stack', 'refused', /"os\.system"/, program(text('os'), text('system'), [0x93])],
    ['eval that is never called', 'refused', /"builtins\.eval"/, state(global('builtins', 'eval'))],
    ['Python 2’s eval', 'refused', /"__builtin__\.eval"/, program(global('__builtin__', 'eval'))],
    [
      'a way to a global through an allowed module',
      'refused',
      /"torch\._utils\._rebuild_tensor_v2\.__globals__"/,
      program(text('torch._utils'), text('_rebuild_tensor_v2.__globals__'), [0x93]),
    ],
    [
      'an allowed name cut at another dot',
      'refused',
      /"torch\._utils\._import_dotted_name"/,
      program(text('torch'), text('_utils._import_dotted_name'), [0x93]),
    ],
    ['a name of JavaScript’s', 'refused', /"torch\.__proto__"/, program(global('torch', '__proto__'))],
    [
      'a whole network',
      'refused',
      /"torchvision\.models\.resnet\.ResNet"/,
      program(global('torchvision.models.resnet', 'ResNet')),
    ],
    [
      'another rebuilding function',
      'refused',
      /_rebuild_tensor_v3/,
      program(global('torch._utils', '_rebuild_tensor_v3')),
    ],
    ['complex numbers', 'refused', /ComplexFloatStorage/, program(global('torch', 'ComplexFloatStorage'))],
    [
      'a name without an end',
      'damaged',
      /a name has no end within 256 bytes/,
      [0x63, ...repeated(300, [0x61])],
    ],
    ['a name that is no text', 'damaged', /a name is no text/, program(int(1), int(2), [0x93])],
    [
      'a call of a storage type',
      'refused',
      /it calls a storage type/,
      program(call(global('torch', 'FloatStorage'), int(9))),
    ],
    ['a call of a tensor', 'refused', /it calls a tensor/, program(call(sound, int(1)))],
    ['a call of a text', 'refused', /it calls a string/, program(call(text('os.system'), text('true')))],
    [
      'a call with no tuple',
      'damaged',
      /arguments are a dict/,
      program(global('collections', 'OrderedDict'), [0x7d], [REDUCE]),
    ],
    [
      'an OrderedDict made of something',
      'refused',
      /is made of something/,
      program(call(global('collections', 'OrderedDict'), list())),
    ],
    [
      'an object (OBJ)',
      'refused',
      /instruction 0x6f/,
      program([MARK], global('collections', 'OrderedDict'), [0x6f]),
    ],
    ['an instance (INST)', 'refused', /instruction 0x69/, program([MARK], [0x69, ...ascii('os\nsystem\n')])],
    [
      'a new object (NEWOBJ)',
      'refused',
      /instruction 0x81/,
      program(global('collections', 'OrderedDict'), tuple(), [0x81]),
    ],
    [
      'a new object (NEWOBJ_EX)',
      'refused',
      /instruction 0x92/,
      program(orderedDict, tuple(), dict([]), [0x92]),
    ],
    ['an extension of Python’s registry (EXT1)', 'refused', /instruction 0x82/, program([0x82, 1])],
    ['a buffer from outside (NEXT_BUFFER)', 'refused', /instruction 0x97/, program([0x97])],
    ['bytes (BINBYTES)', 'refused', /instruction 0x42/, program([0x42, 4, 0, 0, 0, 1, 2, 3, 4])],
    ['a state for a tensor', 'refused', /sets the state of a tensor/, state([...sound, ...dict([]), BUILD])],
    [
      'a state for a plain dictionary',
      'refused',
      /sets the state of a dict/,
      state([...dict([]), ...dict([]), BUILD]),
    ],
    [
      'a state that is no dictionary',
      'refused',
      /sets the state/,
      state([...orderedDict, ...tuple(), BUILD]),
    ],
    [
      'something outside, by a line (PERSID)',
      'refused',
      /instruction 0x50/,
      program([0x50, ...ascii('0\n')]),
    ],
    [
      'something outside that is no storage',
      'refused',
      /outside the pickle/,
      program(tuple(text('module'), text('os')), [0x51]),
    ],
    ['something outside, by a number', 'refused', /outside the pickle/, program(int(7), [0x51])],

    [
      'a place of the memory far out',
      'damaged',
      /remembers a value in place 4294967295, but 0/,
      program([...NONE, 0x72, 255, 255, 255, 255]),
    ],
    ['a place of the memory that nobody filled', 'damaged', /recalls place 3 of 0/, program([0x68, 3])],
    ['a memory of nothing', 'damaged', /a value that is not there/, program([0x71, 0])],
    [
      'a million instructions',
      'damaged',
      /goes on after 1000000 instructions/,
      program([0x5d], repeated(600_000, [...FALSE, 0x61])),
    ],
    ['a flood of the stack', 'damaged', /more than 20000 values wait/, program(repeated(30_000, NONE))],
    ['marks without end', 'damaged', /nests more than 100 collections/, program(repeated(1000, [MARK]))],
    ['tuples in tuples, 30,000 deep', 'refused', /it is a tuple/, program(NONE, repeated(30_000, [0x85]))],
    ['lists that double, a billion laughs', 'refused', /it is a tuple/, program(laughs())],
    [
      'a state dict that is its own',
      'refused',
      /dictionary without tensors; its keys are state_dict/,
      program([0x7d, 0x71, 0], text('state_dict'), [0x68, 0, 0x73]),
    ],
    ['a list in itself', 'refused', /it is a list/, program([0x5d, 0x71, 0, 0x68, 0, 0x61])],
    ['an integer of 4 GB (LONG4)', 'refused', /instruction 0x8b/, program([0x8b, 255, 255, 255, 255])],
    [
      'an integer of 255 bytes',
      'damaged',
      /an integer has 255 bytes/,
      program([0x8a, 255, ...repeated(255, [7])]),
    ],
    ['a text of 4 GB', 'damaged', /a text of 4294967295 bytes/, program([0x58, 255, 255, 255, 255])],
    ['a text beyond the end', 'damaged', /1000 more bytes are needed/, program([0x58, 0xe8, 3, 0, 0, 65])],
    [
      'a text of 2⁶³ bytes (BINUNICODE8)',
      'refused',
      /instruction 0x8d/,
      program([0x8d, 255, 255, 255, 255, 255, 255, 255, 127]),
    ],
    ['a text that is no UTF-8', 'damaged', /not UTF-8/, program([0x58, 2, 0, 0, 0, 0xc3, 0x28])],
    [
      'a frame of 2⁶³ bytes',
      'damaged',
      /a frame claims/,
      program([0x95, 255, 255, 255, 255, 255, 255, 255, 127]),
    ],
    ['protocol 0, which is lines of text', 'refused', /instruction 0x6c/, [...ascii('(lp0\nVa\np1\na.')]],
    ['a protocol to come', 'damaged', /protocol 9/, [0x80, 9, ...NONE, STOP]],
    ['nothing', 'damaged', /1 more bytes are needed, it has 0/, []],
    ['no end', 'damaged', /1 more bytes are needed/, program(dict([])).slice(0, -1)],
    [
      'a second pickle behind the first',
      'damaged',
      /bytes follow its end/,
      [...state(sound), ...program(system('true'))],
    ],
    ['values left over', 'damaged', /values left over/, program(NONE, NONE)],
    ['an end of no collection', 'damaged', /ends a collection that it did not begin/, program([0x74])],
    ['a value below the mark', 'damaged', /a value that is not there/, program(NONE, [MARK, 0x85])],
    ['a key without a value', 'damaged', /has no value/, program([0x7d, MARK], text('a'), [0x75])],
    ['a key that is a list', 'damaged', /has a list for a key/, program([0x7d], list(), NONE, [0x73])],
    [
      'a name twice',
      'damaged',
      /the key "w" twice/,
      program(
        dict([
          ['w', sound],
          ['w', sound],
        ]),
      ),
    ],
    ['entries of a tensor', 'damaged', /puts entries into a tensor/, program(sound, text('a'), NONE, [0x73])],
    ['more items for a tuple', 'damaged', /appends to a tuple/, program(tuple(), NONE, [0x61])],

    [
      'huge strides',
      'damaged',
      /no proper offset, shape or strides/,
      view({ shape: [2], strides: [long(2n ** 60n)] }),
    ],
    [
      'strides whose sum overflows',
      'damaged',
      /ends at element/,
      view({ shape: [2, 2], strides: [2 ** 52, 2 ** 52] }),
    ],
    [
      'a terabyte of one number, stride 0',
      'refused',
      /take 4000000000000 bytes/,
      view({ shape: [1e12], strides: [0] }),
    ],
    [
      'many tensors of one number each a little',
      'refused',
      /repeat elements/,
      program(dict(repeatedViews(100))),
    ],
    [
      'more elements than can be counted',
      'damaged',
      /ends at element/,
      view({ shape: [2 ** 40, 2 ** 40], strides: [0, 0] }),
    ],
    ['a negative offset', 'damaged', /no proper offset/, view({ offset: int(-1) })],
    [
      'a negative stride',
      'damaged',
      /no proper offset, shape or strides/,
      view({ strides: [-1], offset: int(3) }),
    ],
    ['a negative size', 'damaged', /no proper offset/, view({ shape: [-4] })],
    ['an offset beyond 2⁵³', 'damaged', /no proper offset/, view({ offset: long(2n ** 62n) })],
    [
      'a size that is a fraction',
      'damaged',
      /no proper offset/,
      view({ shape: [[0x47, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0]] }),
    ],
    [
      'a thousand axes',
      'damaged',
      /no proper offset/,
      view({ shape: Array(1000).fill(1), strides: Array(1000).fill(1) }),
    ],
    ['shape and strides that differ in length', 'damaged', /no proper offset/, view({ strides: [1, 1] })],
    [
      'an element behind the storage',
      'damaged',
      /ends at element 5, the storage has 4/,
      view({ offset: int(1) }),
    ],
    [
      'a storage with a path for a key',
      'damaged',
      /key "\.\.\/\.\.\/etc\/passwd", which is no number/,
      view({ storage: storage('../../etc/passwd', 4) }),
    ],
    ['a storage of −1 elements', 'damaged', /claims "-1" elements/, view({ storage: storage('0', -1) })],
    [
      'a storage that claims more than it has',
      'damaged',
      /100 × F32, 400 bytes; the archive has 16 bytes/,
      view({ storage: storage('0', 100) }),
    ],
    [
      'a storage that claims less than it has',
      'damaged',
      /2 × F32, 8 bytes; the archive has 16/,
      view({ storage: storage('0', 2), shape: [2] }),
    ],
    [
      'a storage of 2⁵² elements',
      'damaged',
      /the archive has 16 bytes/,
      view({ storage: storage('0', 2 ** 52) }),
    ],
    [
      'a storage of two types',
      'damaged',
      /storage 0 is 4 × F32 and 2 × F64/,
      program(
        dict([
          ['a', sound],
          ['b', tensor({ storage: storage('0', 2, 'F64'), shape: [2], strides: [1] })],
        ]),
      ),
    ],
    [
      'a storage that is not there',
      'damaged',
      /the archive has none such/,
      view({ storage: storage('7', 4) }),
    ],
    ['a tensor of a text', 'damaged', /made of no storage/, view({ storage: text('0') })],
    ['hooks of a tensor', 'refused', /hooks or flags/, view({ hooks: dict([['h', NONE]]) })],
    ['a conjugate view', 'refused', /hooks or flags/, view({ metadata: dict([['conj', TRUE]]) })],
    [
      'a parameter of no tensor',
      'damaged',
      /a parameter is made of no tensor/,
      program(call(global('torch._utils', '_rebuild_parameter'), text('w'), TRUE, orderedDict)),
    ],
  ])('%s', async (_, kind, message, pickle) => {
    await expectRefusal(torchZip(pickle, { '0': data }), kind, message);
  });

  test('nothing of it is run', async () => {
    const canary = join(await temporaryFolder(), 'canary');
    const code = state(system(`touch ${canary}`));
    await expectRefusal(torchZip(code, { '0': data }), 'refused', /os\.system/);
    expect(existsSync(canary)).toBe(false);
  });
});

/** [x, x] of [y, y] of …: 2⁴⁰ items for whoever follows them. */
function laughs(): Code {
  const code: number[] = [...list(NONE), 0x71, 0];
  for (let i = 0; i < 40; i++) code.push(...list([0x68, i], [0x68, i]), 0x71, i + 1);
  return tuple(code);
}

function repeatedViews(count: number): [string, Code][] {
  return Array.from({ length: count }, (_, i) => [`w${i}`, tensor({ shape: [100_000], strides: [0] })]);
}

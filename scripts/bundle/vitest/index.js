// @ts-check
/**
 * What the tests import from vitest, made of the two packages that vitest is made of. The bundle has no room for the rest,
 * a server that compiles TypeScript; jiti does that there.
 */
import {
  ASYMMETRIC_MATCHERS_OBJECT,
  customMatchers,
  getState,
  JestAsymmetricMatchers,
  JestChaiExpect,
  JestExtend,
  setState,
} from '@vitest/expect';
import * as chai from 'chai';

export {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  it,
  onTestFailed,
  onTestFinished,
  suite,
  test,
} from '@vitest/runner';
export * as vi from '@vitest/spy';

chai.use(JestExtend);
chai.use(JestChaiExpect);
chai.use(JestAsymmetricMatchers);

/** @type {any} */
const make = (/** @type {unknown} */ value, /** @type {string | undefined} */ message) => {
  const { assertionCalls = 0 } = getState(make);
  setState({ assertionCalls: assertionCalls + 1 }, make);
  return chai.expect(value, message);
};
Object.assign(make, chai.expect);
Object.assign(make, Reflect.get(globalThis, ASYMMETRIC_MATCHERS_OBJECT));
make.getState = () => getState(make);
make.setState = (/** @type {object} */ state) => setState(state, make);
make.extend = (/** @type {any} */ matchers) =>
  Reflect.get(chai.expect, 'extend').call(chai.expect, make, matchers);
setState({ assertionCalls: 0, isExpectingAssertions: false }, make);
make.extend(customMatchers);

export const expect = make;

// @ts-check
/**
 * A vitest reporter that writes what verify sums up: how many tests passed, what failed, and what was skipped and why.
 * vitest's own JSON report leaves out the reasons, and errors outside of tests. The file is named by TAILRAY_TALLY.
 */
import { writeFileSync } from 'node:fs';

/**
 * @typedef {object} Tally
 * @property {number} passed
 * @property {string[]} failed names of tests, and of files or errors that belong to no test
 * @property {{ name: string, reason: string }[]} skipped
 */

export default class TallyReporter {
  /**
   * @param {readonly import('vitest/node').TestModule[]} modules
   * @param {readonly import('vitest').SerializedError[]} errors thrown outside of any test, a dead worker for instance
   */
  onTestRunEnd(modules, errors) {
    /** @type {Tally} */
    const tally = { passed: 0, failed: [], skipped: [] };
    for (const module of modules) {
      let ofModule = 0;
      for (const test of module.children.allTests()) {
        const name = `${module.relativeModuleId} > ${test.fullName}`;
        const result = test.result();
        if (result.state === 'passed') tally.passed++;
        else if (result.state === 'skipped') tally.skipped.push({ name, reason: result.note ?? '' });
        else ofModule = tally.failed.push(name); // failed, or never finished
      }
      // a file that cannot be loaded, or whose hooks fail, has no failed test
      if (module.state() === 'failed' && ofModule === 0) tally.failed.push(module.relativeModuleId);
    }
    for (const error of errors) tally.failed.push(`outside of any test: ${error.message}`);
    const path = process.env.TAILRAY_TALLY;
    if (path) writeFileSync(path, JSON.stringify(tally));
  }
}

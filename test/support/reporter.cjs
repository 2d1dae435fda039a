// The spec reporter of mocha, which also leaves its counts and failures where test/support/run.mjs finds them, and names the
// tests that passed only when they were tried again: such a test is a race to be found, in the test or in what it tests.
const { writeFileSync } = require('node:fs');
const { reporters, Runner } = require('mocha');

module.exports = class CountingReporter extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const retried = new Map();
    runner.on(Runner.constants.EVENT_TEST_RETRY, (test, error) => {
      retried.set(test.fullTitle(), String(error?.message ?? error).split('\n')[0]);
      process.stdout.write(`  again: ${test.fullTitle()}: ${error?.stack ?? error}\n`);
    });
    const failed = [];
    runner.on(Runner.constants.EVENT_TEST_FAIL, (test, error) => {
      retried.delete(test.fullTitle());
      failed.push(`${test.fullTitle()}: ${String(error?.message ?? error).split('\n')[0]}`);
    });
    runner.once(Runner.constants.EVENT_RUN_END, () => {
      const path = process.env.POSTERN_MOCHA_REPORT;
      if (path) writeFileSync(path, JSON.stringify({ ...this.stats, failed, retried: [...retried] }));
    });
  }
};

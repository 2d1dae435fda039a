// The spec reporter of mocha, which also leaves its counts where test/support/run.mjs finds them.
const { writeFileSync } = require('node:fs');
const { reporters, Runner } = require('mocha');

module.exports = class CountingReporter extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    runner.once(Runner.constants.EVENT_RUN_END, () => {
      const path = process.env.POSTERN_MOCHA_REPORT;
      if (path) writeFileSync(path, JSON.stringify(this.stats));
    });
  }
};

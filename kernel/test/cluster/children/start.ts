import { posternProgram, runProgram } from '../../../src/cli/index.js';
import { linePlugin } from '../line-protocol.js';

/** `postern`, whose only protocol is that of lines. */
const program = posternProgram({
  version: '0.0.0-test',
  load: async () => [linePlugin()],
  demo: () => Promise.reject(new Error('a cluster for tests has a configuration file')),
});
process.exitCode = await runProgram(program, process.argv.slice(2));

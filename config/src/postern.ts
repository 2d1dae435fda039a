import { posternProgram, runProgram } from '@postern/kernel/cli';
import { version } from './version.js';

const program = posternProgram({
  version,
  load: async () => (await import('./standard.js')).standardPlugins,
  demo: async (auth) => (await import('./demo.js')).demo(auth),
});
process.exitCode = await runProgram(program, process.argv.slice(2));

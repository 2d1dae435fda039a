import { fileURLToPath } from 'node:url';
import { pshProgram, runProgram, type PluginSummary } from '@postern/kernel/cli';
import { version } from './version.js';

/** The build puts the list here; from the sources it has to be gathered. */
declare const POSTERN_PLUGINS: readonly PluginSummary[] | undefined;

const plugins = typeof POSTERN_PLUGINS === 'undefined' ? (await import('./summaries.js')).summaries : POSTERN_PLUGINS;
const program = pshProgram({
  version,
  program: [process.execPath, fileURLToPath(new URL('../bin/psh.js', import.meta.url))],
  plugins,
  load: async () => (await import('./standard.js')).standardPlugins,
});
process.exitCode = await runProgram(program, process.argv.slice(2));

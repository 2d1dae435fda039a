import { exitCodeOf, exitCodes } from '../exit-codes.js';
import { errorText } from '../output/error-text.js';
import type { PluginSummary } from '../psh/product.js';
import { proxyStdio, type ProxyStdioOptions } from '../psh/proxy-stdio.js';

interface Wanted extends ProxyStdioOptions {
  readonly kind: string;
  readonly name: string;
  readonly home?: string;
}

/**
 * Runs `psh proxy … --stdio` without the rest of the program, whose loading
 * people would wait for at every connection. Resolves with the exit code;
 * `undefined` where the arguments say something else, or it in an unusual way:
 * the whole program understands them, and explains mistakes.
 */
export function quickProxy(
  argv: readonly string[],
  plugins: readonly Pick<PluginSummary, 'id' | 'transport'>[],
): Promise<number> | undefined {
  const wanted = read(argv);
  const transport = plugins.find(({ id }) => id === wanted?.kind)?.transport;
  return wanted && transport ? run(wanted, transport) : undefined;
}

async function run(
  { kind, name, home, ...options }: Wanted,
  transport: NonNullable<PluginSummary['transport']>,
): Promise<number> {
  if (home !== undefined) process.env['POSTERN_HOME'] = home;
  process.stderr.on('error', () => {});
  try {
    await proxyStdio({ kind, name, transport }, options);
    return exitCodes.ok;
  } catch (cause) {
    process.stderr.write(errorText('psh', cause, process.env['POSTERN_DEBUG'] === '1'));
    return exitCodeOf(cause);
  }
}

/** `[--home H] proxy KIND NAME --stdio [--hand-over]`, as configurations of native clients have it. */
function read(argv: readonly string[]): Wanted | undefined {
  const [first, home = '', ...behind] = argv;
  const [command, kind = '', name = '', ...flags] = first === '--home' ? behind : argv;
  if (command !== 'proxy' || kind.startsWith('-') || name === '' || name.startsWith('-')) return undefined;
  const known = new Set(flags);
  const handOver = known.delete('--hand-over');
  if (!known.delete('--stdio') || known.size > 0) return undefined;
  return { kind, name, handOver, ...(first === '--home' && { home }) };
}

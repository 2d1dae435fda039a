import type { Duplex } from 'node:stream';
import { PosternError, type ErrorCode } from '../errors.js';
import type { AgentModule, Health, Probe, ProbeContext } from '../plugin.js';
import type { AnyProtocol } from '../protocol.js';
import { Scope, token } from '../scope.js';
import { aborted } from './deadline.js';

type Reason = Extract<Health, { readonly ok: false }>['reason'];

const ProbeToken = token<Probe<any>>('Probe');

/** What an error means that a probe did not explain itself. */
const reasons: Partial<Readonly<Record<ErrorCode, Reason>>> = {
  aborted: 'unreachable',
  timeout: 'unreachable',
  upstream_unreachable: 'unreachable',
  upstream_auth: 'auth',
};

/**
 * Asks a plugin whether a session could start now; `undefined` where it has no
 * probe. Never rejects, ends when the signal aborts, and closes what the probe
 * dialled. `plugin` is the plugin's scope.
 */
export async function probeResource<P extends AnyProtocol>(
  module: AgentModule<P>,
  context: ProbeContext<P>,
  plugin: Scope = Scope.root(),
): Promise<Health | undefined> {
  if (!module.Probe) return undefined;
  const opened: Duplex[] = [];
  const dial = async (): Promise<Duplex> => {
    const stream = await context.dial();
    // Whoever is closed while a probe still looks at it must not become an uncaught error.
    stream.on('error', () => {});
    opened.push(stream);
    if (context.signal.aborted) stream.destroy();
    return stream;
  };
  const scope = plugin.child();
  const cut = aborted(context.signal);
  try {
    const probe = scope.perScope(ProbeToken, module.Probe).get(ProbeToken) as Probe<P>;
    const { resource, signal } = context;
    return await Promise.race([probe.probe({ resource, signal, dial }), cut.promise]);
  } catch (cause) {
    const { code, message } = PosternError.from(cause);
    return { ok: false, reason: reasons[code] ?? 'protocol', detail: message };
  } finally {
    cut.release();
    for (const stream of opened) stream.destroy();
    await scope[Symbol.asyncDispose]().catch(() => {});
  }
}

import {
  FrameReader,
  PosternError,
  probeUpstream,
  type Health,
  type Probe,
  type ProbeContext,
} from '@postern/plugin-sdk';
import { capability, has } from './capabilities.js';
import { parseGreeting } from './handshake.js';
import { maxLoginBytes, readGreeting } from './login.js';
import type { Mysql } from './protocol.js';
import { UpstreamRefusal } from './upstream-refusal.js';

/**
 * Asks a server for its greeting. Nobody logs in: a probe has no user, and
 * servers block hosts whose handshakes fail too often (`max_connect_errors`),
 * which one that ends after the greeting counts towards only while it goes on.
 */
export class MysqlProbe implements Probe<Mysql> {
  async probe(context: ProbeContext<Mysql>): Promise<Health> {
    return probeUpstream(context, async (socket) => {
      try {
        const greeting = parseGreeting((await readGreeting(new FrameReader(socket, maxLoginBytes))).payload);
        if (context.resource.spec.tls.mode !== 'disable' && !has(greeting.capabilities, capability.ssl))
          return { ok: false, reason: 'tls', detail: 'the server has no TLS' };
        return { ok: true, version: greeting.version };
      } catch (cause) {
        const refused = cause instanceof UpstreamRefusal;
        return { ok: false, reason: refused ? 'auth' : 'protocol', detail: PosternError.from(cause).message };
      }
    });
  }
}

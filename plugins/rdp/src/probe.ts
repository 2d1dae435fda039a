import { PosternError, type Health, type Probe, type ProbeContext } from '@postern/plugin-sdk';
import type { Rdp } from './protocol.js';
import { probeUpstream } from './upstream.js';

const timeoutMs = 10_000;

/** Asks a desktop for its security and its certificate. Nobody logs in: a probe has no user. */
export class RdpProbe implements Probe<Rdp> {
  async probe(context: ProbeContext<Rdp>): Promise<Health> {
    const { resource, signal } = context;
    let reached = false;
    const counted = async () => {
      const socket = await context.dial();
      reached = true;
      return socket;
    };
    try {
      await probeUpstream({ spec: resource.spec, dial: counted, timeoutMs, signal });
      return { ok: true };
    } catch (cause) {
      const { message: detail } = PosternError.from(cause);
      if (!reached) return { ok: false, reason: 'unreachable', detail };
      return { ok: false, reason: /^tls /.test(detail) ? 'tls' : 'protocol', detail };
    }
  }
}

import type { Duplex } from 'node:stream';
import {
  encryptUpstream,
  PosternError,
  probeTlsOptions,
  probeUpstream,
  type Health,
  type Probe,
  type ProbeContext,
} from '@postern/plugin-sdk';
import { readReply } from './login-reply.js';
import type { Redis } from './protocol.js';
import { whom } from './upstream.js';
import { encodeCommand } from './wire.js';

/**
 * Asks a server whether it speaks the protocol, and TLS as the resource wants
 * it. Nobody logs in: a probe has no user. The cluster's own CA is not at hand
 * either, so that the certificate is verified only where the resource names its
 * authority; a server that insists on a client certificate closes, and is there.
 */
export class RedisProbe implements Probe<Redis> {
  async probe(context: ProbeContext<Redis>): Promise<Health> {
    return probeUpstream(context, (socket) => ask(socket, context.resource.spec));
  }
}

async function ask(socket: Duplex, spec: ProbeContext<Redis>['resource']['spec']): Promise<Health> {
  let stream = socket;
  const options = probeTlsOptions(spec);
  if (options)
    try {
      stream = await encryptUpstream(socket, options, whom);
    } catch (cause) {
      return { ok: false, reason: 'tls', detail: PosternError.from(cause).message };
    }
  try {
    const answer = await readReply(stream, encodeCommand(['PING']));
    if (/^(PONG|NOAUTH|NOPERM|LOADING|MASTERDOWN)\b/.test(answer)) return { ok: true };
    return { ok: false, reason: 'protocol', detail: 'the answer to PING is none that the protocol knows' };
  } catch (cause) {
    // With TLS 1.3 a server turns away who has no certificate only after the handshake.
    if (spec.auth.method === 'certificate') return { ok: true };
    return { ok: false, reason: 'protocol', detail: PosternError.from(cause).message };
  }
}

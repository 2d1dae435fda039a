import type { Duplex } from 'node:stream';
import { PosternError, type Health, type Probe, type ProbeContext } from '@postern/plugin-sdk';
import { readReply } from './login-reply.js';
import type { Redis } from './protocol.js';
import { encrypt, trusted, verification } from './upstream.js';
import { encodeCommand } from './wire.js';

/**
 * Asks a server whether it speaks the protocol, and TLS as the resource wants
 * it. Nobody logs in: a probe has no user. The cluster's own CA is not at hand
 * either, so that the certificate is verified only where the resource names its
 * authority; a server that insists on a client certificate closes, and is there.
 */
export class RedisProbe implements Probe<Redis> {
  async probe(context: ProbeContext<Redis>): Promise<Health> {
    const { signal, resource } = context;
    let socket: Duplex;
    try {
      socket = await context.dial();
    } catch (cause) {
      return { ok: false, reason: 'unreachable', detail: PosternError.from(cause).message };
    }
    const stop = (): void => void socket.destroy();
    socket.on('error', stop);
    signal.addEventListener('abort', stop, { once: true });
    try {
      if (signal.aborted) stop();
      return await ask(socket, resource.spec);
    } finally {
      signal.removeEventListener('abort', stop);
      stop();
    }
  }
}

async function ask(socket: Duplex, { host, tls, auth }: ProbeContext<Redis>['resource']['spec']): Promise<Health> {
  let stream = socket;
  if (tls.mode !== 'disable')
    try {
      const options = verification(tls.ca === undefined ? 'require' : tls.mode, tls.server_name ?? host);
      stream = await encrypt(socket, { ...options, ...trusted(tls.ca) });
    } catch (cause) {
      return { ok: false, reason: 'tls', detail: PosternError.from(cause).message };
    }
  try {
    const answer = await readReply(stream, encodeCommand(['PING']));
    if (/^(PONG|NOAUTH|NOPERM|LOADING|MASTERDOWN)\b/.test(answer)) return { ok: true };
    return { ok: false, reason: 'protocol', detail: 'the answer to PING is none that the protocol knows' };
  } catch (cause) {
    // With TLS 1.3 a server turns away who has no certificate only after the handshake.
    if (auth.method === 'certificate') return { ok: true };
    return { ok: false, reason: 'protocol', detail: PosternError.from(cause).message };
  }
}

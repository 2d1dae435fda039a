import type { Duplex } from 'node:stream';
import { PosternError, type Health, type Probe, type ProbeContext } from '@postern/plugin-sdk';
import { Dialogue } from './dialogue.js';
import type { Mongodb } from './protocol.js';
import { encrypt, trusted, verification } from './security.js';

/**
 * Greets a server, in TLS as the resource wants it. Nobody logs in: a probe has
 * no user. The cluster's own CA is not at hand either, so that the certificate
 * is verified only where the resource names its authority; a server that
 * insists on a client certificate closes, and is there.
 */
export class MongodbProbe implements Probe<Mongodb> {
  async probe(context: ProbeContext<Mongodb>): Promise<Health> {
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
      return await greet(socket, resource.spec);
    } finally {
      signal.removeEventListener('abort', stop);
      stop();
    }
  }
}

async function greet(socket: Duplex, spec: ProbeContext<Mongodb>['resource']['spec']): Promise<Health> {
  const { host, tls, auth } = spec;
  let stream = socket;
  if (tls.mode !== 'disable')
    try {
      const options = verification(tls.ca === undefined ? 'require' : tls.mode, tls.server_name ?? host);
      stream = await encrypt(socket, { ...options, ...trusted(tls.ca) });
    } catch (cause) {
      return { ok: false, reason: 'tls', detail: PosternError.from(cause).message };
    }
  try {
    const dialogue = new Dialogue(stream);
    const { maxWireVersion } = await dialogue.run({ hello: 1, $db: 'admin' });
    if (maxWireVersion === undefined)
      return { ok: false, reason: 'protocol', detail: 'the answer to hello is none that the protocol knows' };
    const { version } = await dialogue.run({ buildInfo: 1, $db: 'admin' });
    return { ok: true, ...(typeof version === 'string' && { version: version.slice(0, 64) }) };
  } catch (cause) {
    // With TLS 1.3 a server turns away who has no certificate only after the handshake.
    if (auth.method === 'certificate') return { ok: true };
    return { ok: false, reason: 'protocol', detail: PosternError.from(cause).message };
  }
}

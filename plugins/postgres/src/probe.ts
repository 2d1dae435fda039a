import type { Duplex } from 'node:stream';
import { FrameReader, PosternError, write, type Health, type Probe, type ProbeContext } from '@postern/plugin-sdk';
import { serialize } from 'pg-protocol';
import type { Postgres } from './protocol.js';
import { encrypt, trusted, verification } from './upstream.js';

/**
 * Asks a server whether it speaks PostgreSQL, and TLS as the resource wants it.
 * Nobody logs in: a probe has no user, and a failed login would fill the
 * server's log. The cluster's own CA is not at hand either, so that the
 * certificate is verified only where the resource names its authority.
 */
export class PostgresProbe implements Probe<Postgres> {
  async probe(context: ProbeContext<Postgres>): Promise<Health> {
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
      return await (resource.spec.tls.mode === 'disable' ? askPlainly(socket) : askForTls(socket, resource.spec));
    } catch (cause) {
      return { ok: false, reason: 'protocol', detail: PosternError.from(cause).message };
    } finally {
      signal.removeEventListener('abort', stop);
      stop();
    }
  }
}

async function askPlainly(socket: Duplex): Promise<Health> {
  const reader = new FrameReader(socket, 1);
  await write(socket, serialize.requestSsl());
  const answer = (await reader.bytes(1)).toString('latin1');
  if (answer === 'S' || answer === 'N') return { ok: true };
  return { ok: false, reason: 'protocol', detail: 'the answer to SSLRequest is neither S nor N' };
}

async function askForTls(socket: Duplex, { host, tls }: ProbeContext<Postgres>['resource']['spec']): Promise<Health> {
  const options = verification(tls.ca === undefined ? 'require' : tls.mode, tls.server_name ?? host);
  try {
    const line = await encrypt(socket, { ...options, ...trusted(tls.ca) });
    line.stream.destroy();
    return { ok: true };
  } catch (cause) {
    const { code, message } = PosternError.from(cause);
    return { ok: false, reason: code === 'upstream_unreachable' ? 'tls' : 'protocol', detail: message };
  }
}

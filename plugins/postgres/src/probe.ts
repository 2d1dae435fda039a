import type { Duplex } from 'node:stream';
import type { ConnectionOptions } from 'node:tls';
import {
  FrameReader,
  PosternError,
  probeTlsOptions,
  probeUpstream,
  write,
  type Health,
  type Probe,
  type ProbeContext,
} from '@postern/plugin-sdk';
import { serialize } from 'pg-protocol';
import type { Postgres } from './protocol.js';
import { encrypt } from './upstream.js';

/**
 * Asks a server whether it speaks PostgreSQL, and TLS as the resource wants it.
 * Nobody logs in: a probe has no user, and a failed login would fill the
 * server's log. The cluster's own CA is not at hand either, so that the
 * certificate is verified only where the resource names its authority.
 */
export class PostgresProbe implements Probe<Postgres> {
  async probe(context: ProbeContext<Postgres>): Promise<Health> {
    const options = probeTlsOptions(context.resource.spec);
    return probeUpstream(context, (socket) => (options ? askForTls(socket, options) : askPlainly(socket)));
  }
}

async function askPlainly(socket: Duplex): Promise<Health> {
  const reader = new FrameReader(socket, 1);
  await write(socket, serialize.requestSsl());
  const answer = (await reader.bytes(1)).toString('latin1');
  if (answer === 'S' || answer === 'N') return { ok: true };
  return { ok: false, reason: 'protocol', detail: 'the answer to SSLRequest is neither S nor N' };
}

async function askForTls(socket: Duplex, options: ConnectionOptions): Promise<Health> {
  try {
    const line = await encrypt(socket, options);
    line.stream.destroy();
    return { ok: true };
  } catch (cause) {
    const { code, message } = PosternError.from(cause);
    return { ok: false, reason: code === 'upstream_unreachable' ? 'tls' : 'protocol', detail: message };
  }
}

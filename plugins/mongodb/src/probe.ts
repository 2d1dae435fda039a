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
import { Dialogue } from './dialogue.js';
import type { Mongodb } from './protocol.js';
import { whom } from './upstream.js';

/**
 * Greets a server, in TLS as the resource wants it. Nobody logs in: a probe has
 * no user. The cluster's own CA is not at hand either, so that the certificate
 * is verified only where the resource names its authority; a server that
 * insists on a client certificate closes, and is there.
 */
export class MongodbProbe implements Probe<Mongodb> {
  async probe(context: ProbeContext<Mongodb>): Promise<Health> {
    return probeUpstream(context, (socket) => greet(socket, context.resource.spec));
  }
}

async function greet(socket: Duplex, spec: ProbeContext<Mongodb>['resource']['spec']): Promise<Health> {
  let stream = socket;
  const options = probeTlsOptions(spec);
  if (options)
    try {
      stream = await encryptUpstream(socket, options, whom);
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
    if (spec.auth.method === 'certificate') return { ok: true };
    return { ok: false, reason: 'protocol', detail: PosternError.from(cause).message };
  }
}

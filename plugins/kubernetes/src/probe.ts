import { PosternError, write, type Health, type Probe, type ProbeContext } from '@postern/plugin-sdk';
import { HeadCollector, readResponseHead } from '@postern/plugin-sdk/http1';
import { kubernetes, type Kubernetes } from './protocol.js';
import { connectUpstream } from './upstream.js';

const limit = 65_536;

/** Asks an API server for its version, as nobody: that it has a certificate as expected and speaks HTTP is enough. */
export class KubernetesProbe implements Probe<Kubernetes> {
  async probe(context: ProbeContext<Kubernetes>): Promise<Health> {
    const { resource, signal } = context;
    let reached = false;
    try {
      const config = kubernetes.config.parse({});
      const stream = await connectUpstream({
        spec: resource.spec,
        config,
        signal,
        dial: async () => {
          const socket = await context.dial();
          reached = true;
          return socket;
        },
      });
      try {
        await write(stream, `GET /version HTTP/1.1\r\nHost: ${resource.spec.host}\r\nConnection: close\r\n\r\n`);
        return healthOf(await everything(stream));
      } finally {
        stream.destroy();
      }
    } catch (cause) {
      const { code, message } = PosternError.from(cause);
      if (code === 'protocol_violation') return { ok: false, reason: 'protocol', detail: message };
      return { ok: false, reason: reached ? 'tls' : 'unreachable', detail: message };
    }
  }
}

async function everything(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of stream) {
    parts.push(part);
    length += part.length;
    if (length > limit) break;
  }
  return Buffer.concat(parts);
}

function healthOf(answer: Buffer): Health {
  const found = new HeadCollector(limit).take(answer);
  if (!found) throw new PosternError('protocol_violation', 'the answer is not a response');
  const { status } = readResponseHead(found.head);
  const version = /"gitVersion":\s*"(v[\w.+-]{1,64})"/.exec(answer.toString('latin1', found.end))?.[1];
  if (status === 200) return version === undefined ? { ok: true } : { ok: true, version };
  // Nobody is anonymous where that was turned off: it is an API server all the same.
  if (status === 401 || status === 403) return { ok: true };
  return { ok: false, reason: 'protocol', detail: `the api server answers with ${status}` };
}

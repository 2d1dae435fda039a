import { createInterface } from 'node:readline';
import type { Duplex } from 'node:stream';
import {
  definePlugin,
  defineProtocol,
  event,
  field,
  FrameReader,
  PosternError,
  relay,
  SessionContext,
  write,
  type ClientLink,
  type Denial,
  type Grant,
  type Health,
  type Probe,
  type ProbeContext,
  type Session,
} from '@postern/plugin-sdk';
import { fakeIdentity, loopback, type Harness } from '@postern/plugin-sdk/testing';
import { z } from 'zod';

/** Stands for encryption that the kernel does not end. */
const seal = (data: Buffer): Buffer => Buffer.from(data.map((byte) => byte ^ 0x5a));
const sealed = (text: string): Buffer => seal(Buffer.from(text));

const protocol = defineProtocol({
  id: 'sealed',
  title: 'Sealed lines',
  posture: 'hostile-client',
  transport: { kind: 'native', credential: 'openssh' },
  config: z.strictObject({}),
  auth: {
    resource: z.strictObject({ host: z.string(), port: z.int() }),
    endpoints: (resource) => [resource],
    ask: z.strictObject({ topic: z.string().max(20) }),
    access: z.strictObject({ topics: z.array(z.string()).default([]) }),
    permits: ({ topics }, { topic }) => topics.includes(topic) || topics.includes('*'),
    forbids: ({ topics }, { topic }) => topics.includes(topic) || topics.includes('*'),
    preset: { topics: ['{{internal.topics}}'] },
  },
  audit: { line: event('A line was said.', { text: field.sensitive(z.string()) }) },
});
type Sealed = typeof protocol;

/** Opens with a sealed `<certificate> <topic>\n`; then every sealed line is answered by the resource. */
class SealedSession implements Session<Sealed> {
  static readonly inject = [SessionContext];
  #head: Buffer = Buffer.alloc(0);

  constructor(private readonly context: SessionContext<Sealed>) {}

  async open(client: ClientLink): Promise<{ topic: string }> {
    const bytes: number[] = [];
    const reader = new FrameReader(client.stream, 100);
    for (let byte = 0; byte !== 0x0a; bytes.push(byte)) {
      if (bytes.length > 100) throw new PosternError('limit_exceeded', 'the opening is too long');
      byte = seal(await reader.bytes(1))[0] ?? 0;
    }
    this.#head = reader.release();
    const [certificate = '', topic = ''] = Buffer.from(bytes).toString().trim().split(' ');
    await client.verify({ kind: 'openssh-certificate', blob: Buffer.from(certificate) });
    return { topic };
  }

  async serve({ stream }: ClientLink, grant: Grant<Sealed>): Promise<void> {
    await relay(stream, await grant.dial(), {
      signal: this.context.signal,
      head: { client: this.#head },
      fromClient: async (chunk) => {
        const text = seal(chunk).toString('latin1');
        await this.context.audit.emit('line', { text });
        return Buffer.from(text, 'latin1');
      },
      fromUpstream: seal,
    });
  }

  async refuse({ stream }: ClientLink, { message }: Denial): Promise<void> {
    await write(stream, sealed(`refused: ${message}\n`));
  }
}

class SealedProbe implements Probe<Sealed> {
  async probe(context: ProbeContext<Sealed>): Promise<Health> {
    const stream: Duplex = await context.dial();
    await write(stream, 'ping\n');
    const answer = await new FrameReader(stream, 100).line();
    return answer === 'echo ping' ? { ok: true } : { ok: false, reason: 'protocol', detail: `it said ${answer}` };
  }
}

export const sealedPlugin = definePlugin(protocol, {
  agent: async () => ({ Session: SealedSession, Probe: SealedProbe }),
  proxy: async () => ({
    recognise: (head) => {
      const magic = sealed('cert-');
      const length = Math.min(head.length, magic.length);
      if (!head.subarray(0, length).equals(magic.subarray(0, length))) return 'no';
      return length === magic.length ? 'yes' : 'more';
    },
    open: async () => ({ kind: 'closed' }),
  }),
});

/** Waits for one line, and insists on it. */
async function hears(stream: Duplex, answer: string): Promise<void> {
  let heard = '';
  await new Promise<void>((resolve, reject) => {
    stream.on('data', (chunk: Buffer) => {
      heard += seal(chunk).toString();
      if (heard.endsWith('\n')) resolve();
    });
    stream.once('end', () => reject(new Error(`the stream ended after ${JSON.stringify(heard)}`)));
  });
  if (heard !== answer) throw new Error(`the answer is ${JSON.stringify(heard)}`);
}

/** A native client: says one topic and one line, and insists on the answer. */
const says =
  (topic: string, line: string, answer: string) =>
  async (stream: Duplex): Promise<void> => {
    const listening = hears(stream, answer);
    await Promise.all([write(stream, sealed(`cert-alice ${topic}\n`)), write(stream, sealed(`${line}\n`)), listening]);
  };

/** Everything that reached the resource, which the kit could not read if the connection were sealed too. */
export function sealedHarness(): Harness<Sealed> {
  let received = '';
  return {
    upstream: async () => {
      const server = await loopback((socket) => {
        const lines = createInterface(socket).on('error', () => {});
        lines.on('line', (line) => {
          received += `${line}\n`;
          socket.write(`echo ${line}\n`);
        });
        lines.once('close', () => socket.end());
      });
      return { spec: { host: server.host, port: server.port }, received: () => received, close: () => server.close() };
    },
    access: { topics: ['news'] },
    verify: async ({ blob }) => {
      if (blob.toString() !== 'cert-alice') throw new PosternError('unauthenticated', 'nobody signed this');
      return fakeIdentity();
    },
    conversation: { connect: says('news', 'hello', 'echo hello\n') },
    forbidden: { connect: says('secrets', 'drop everything', 'refused: access denied\n') },
    never: 'drop everything',
    refusal: { connect: says('news', 'hello', 'refused: access denied\n') },
    farewell: {
      connect: async (stream, cut) => {
        await says('news', 'hello', 'echo hello\n')(stream);
        cut();
        await hears(stream, 'refused: locked by an administrator\n');
      },
    },
    opening: sealed('cert-alice news\n'),
  };
}

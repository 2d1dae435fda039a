import { definePlugin, defineProtocol, event, field, inject, injectable, SessionContext } from '@postern/plugin-sdk';
import { FrameReader, PosternError, relay, write } from '@postern/plugin-sdk';
import type { ClientLink, ClientModule, Denial, Grant, Probe, ProbeContext, Session } from '@postern/plugin-sdk';
import { z } from 'zod';

/** Commands that are followed by a block of data. */
const stores = ['set', 'add', 'replace', 'append', 'prepend'] as const;
const others = ['get', 'gets', 'touch', 'delete', 'incr', 'decr', 'flush_all', 'stats', 'version'] as const;

export const memcached = defineProtocol({
  id: 'memcached',
  title: 'Memcached, text protocol',
  posture: 'hostile-client',
  transport: { kind: 'tls' },
  config: z.strictObject({ maxLineBytes: z.int().min(512).max(65_536).default(8192) }),
  auth: {
    resource: z.strictObject({ host: z.string(), port: z.int().default(11_211) }),
    endpoints: ({ host, port }) => [{ host, port }],
    ask: z.strictObject({ verb: z.string().optional() }),
    access: z.strictObject({ verbs: z.array(z.enum([...stores, ...others])).default([]) }),
    permits: ({ verbs }, { verb }) => (verb === undefined ? verbs.length > 0 : verbs.some((one) => one === verb)),
    forbids: ({ verbs }, { verb }) => verbs.some((one) => one === verb),
  },
  audit: {
    command: event('A command was sent to the cache.', {
      verb: field.public(z.string()),
      line: field.sensitive(z.string()),
    }),
  },
});
type Memcached = typeof memcached;

/** Words with one space between them. What memcached could read in another way than we do never reaches it. */
const LINE = /^[a-z_]{1,32}(?: [\x21-\x7e\x80-\xff]{1,250})*$/;
/** A line that announces a block of data. memcached takes such a block for commands when it dislikes the line. */
const STORE = new RegExp(`^(?:${stores.join('|')}) [^ ]+ [0-9]{1,9} -?[0-9]{1,9} ([0-9]{1,9})(?: noreply)?$`);

@injectable()
export class MemcachedSession implements Session<Memcached> {
  #unfinished = Buffer.alloc(0);
  #block = { bytes: 0, dropped: false };

  constructor(@inject(SessionContext) private readonly context: SessionContext<Memcached>) {}

  /** A client says nothing of itself before its first command, so entry is all that it asks for. */
  async open() {
    return {};
  }

  async serve({ stream }: ClientLink, grant: Grant<Memcached>) {
    const { signal } = this.context;
    await relay(stream, await grant.dial(), { signal, fromClient: (chunk) => this.#commands(chunk, grant) });
  }

  async refuse({ stream }: ClientLink, { message }: Denial) {
    await write(stream, `SERVER_ERROR ${message}\r\n`);
  }

  /** What goes on to the resource in place of a chunk: permitted lines, and the data that belongs to them. */
  async #commands(chunk: Buffer, grant: Grant<Memcached>) {
    // Inside a block of data there is nothing to look at: it passes on as it came.
    if (chunk.length < this.#block.bytes) {
      this.#block.bytes -= chunk.length;
      return this.#block.dropped ? Buffer.alloc(0) : chunk;
    }
    let rest = Buffer.concat([this.#unfinished, chunk]);
    const onward: Buffer[] = [];
    for (;;) {
      const data = rest.subarray(0, this.#block.bytes);
      if (!this.#block.dropped) onward.push(data);
      this.#block.bytes -= data.length;
      rest = rest.subarray(data.length);
      const end = rest.indexOf('\n');
      if ((end < 0 ? rest.length : end) > this.context.config.maxLineBytes)
        throw new PosternError('limit_exceeded', 'the line of a command is too long');
      if (end < 0) break;
      onward.push(await this.#command(rest.toString('latin1', 0, end).replace(/\r$/, ''), grant));
      rest = rest.subarray(end + 1);
    }
    this.#unfinished = rest;
    return Buffer.concat(onward);
  }

  async #command(line: string, grant: Grant<Memcached>) {
    const permitted = await this.#permitted(line, grant);
    const bytes = STORE.exec(line)?.[1];
    this.#block = { bytes: bytes === undefined ? 0 : Number(bytes) + 2, dropped: !permitted };
    if (permitted) return Buffer.from(`${line}\r\n`, 'latin1');
    // Answers come in the order of the commands: let the resource say ERROR, to a word that it does not know.
    return Buffer.from(line.endsWith(' noreply') ? '' : 'denied\r\n');
  }

  async #permitted(line: string, grant: Grant<Memcached>) {
    const [verb = ''] = line.split(' ', 1);
    if (!LINE.test(line) || (stores.some((one) => one === verb) && !STORE.test(line))) return false;
    try {
      await grant.require({ verb });
    } catch (cause) {
      if (PosternError.is(cause) && cause.code === 'access_denied') return false;
      throw cause;
    }
    await this.context.audit.emit('command', { verb, line });
    return true;
  }
}

export class MemcachedProbe implements Probe<Memcached> {
  async probe(context: ProbeContext<Memcached>) {
    const stream = await context.dial();
    await write(stream, 'version\r\n');
    const answer = (await new FrameReader(stream, 128).line()) ?? '';
    if (answer.startsWith('VERSION ')) return { ok: true, version: answer.slice(8) } as const;
    return { ok: false, reason: 'protocol', detail: 'the answer to version is no VERSION' } as const;
  }
}

const client: ClientModule<Memcached> = {
  configure: () => ({}),
  connect: ({ proxy, files }, { hostname }, { args }) => ({
    program: 'openssl',
    args: ['s_client', '-quiet', '-verify_return_error', '-connect', `${proxy.host}:${proxy.port}`]
      .concat(['-servername', hostname, '-verify_hostname', hostname, '-CAfile', files.authority])
      .concat(['-cert', files.certificate, '-key', files.key, ...args]),
  }),
};

export default definePlugin(memcached, {
  agent: async () => ({ Session: MemcachedSession, Probe: MemcachedProbe }),
  client: async () => client,
});

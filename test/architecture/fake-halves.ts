import {
  definePlugin,
  FrameReader,
  PosternError,
  SessionContext,
  write,
  type AnyProtocol,
  type ClientLink,
  type Denial,
  type Grant,
  type Opening,
  type Plugin,
  type ProxyModule,
  type Session,
} from '@postern/plugin-sdk';

/** What a client of {@link renamed} says first, in one line of JSON; each line behind it is a further ask. */
export interface FirstLine {
  readonly ask: unknown;
  /** An OpenSSH certificate in base64, for protocols that bring their own encryption. */
  readonly certificate?: string;
}

/** Speaks no protocol: asks come as lines of JSON, and are answered with `ok` or `no <code> <message>`. */
class AskingSession implements Session<AnyProtocol> {
  static readonly inject = [SessionContext];
  #reader: FrameReader | undefined;

  constructor(private readonly context: SessionContext<AnyProtocol>) {}

  async open(client: ClientLink): Promise<unknown> {
    this.#reader = new FrameReader(client.stream, 65_536);
    const { ask, certificate } = JSON.parse((await this.#reader.line()) ?? '') as FirstLine;
    if (certificate !== undefined)
      await client.verify({ kind: 'openssh-certificate', blob: Buffer.from(certificate, 'base64') });
    return ask;
  }

  async serve({ stream, alpn }: ClientLink, grant: Grant<AnyProtocol>): Promise<void> {
    await write(stream, `ok ${this.context.resource.name} ${alpn ?? '-'} ${grant.identity.user}\n`);
    for (let line = await this.#reader?.line(); line !== undefined; line = await this.#reader?.line())
      await write(stream, await this.#answer(line, grant));
  }

  async refuse({ stream }: ClientLink, { code, message }: Denial): Promise<void> {
    await write(stream, `no ${code} ${message}\n`);
  }

  async #answer(line: string, grant: Grant<AnyProtocol>): Promise<string> {
    try {
      await grant.check(JSON.parse(line));
      return 'ok\n';
    } catch (cause) {
      return `no ${PosternError.from(cause).code}\n`;
    }
  }
}

/** Says the protocol's id before TLS, as clients do that begin in their own way. */
const preambleOf = (id: string): ProxyModule => {
  const wanted = Buffer.from(`${id}\n`);
  return {
    recognise(head) {
      const length = Math.min(head.length, wanted.length);
      if (!head.subarray(0, length).equals(wanted.subarray(0, length))) return 'no';
      return length === wanted.length ? 'yes' : 'more';
    },
    async open(opening: Opening) {
      await opening.read(wanted.length);
      await opening.write(Buffer.from('T'));
      return { kind: 'tls' };
    },
    async greet(opening: Opening) {
      await opening.write(Buffer.from('hello\n'));
      await opening.read(wanted.length);
      return { kind: 'tls' };
    },
  };
};

/** The declaration of a plugin under another id, and halves that speak no protocol. */
export function renamed(plugin: Plugin, id: string): Plugin {
  return definePlugin<AnyProtocol>(
    { ...plugin.protocol, id },
    {
      agent: async () => ({ Session: AskingSession }),
      ...('proxy' in plugin && { proxy: async () => preambleOf(id) }),
    },
  );
}

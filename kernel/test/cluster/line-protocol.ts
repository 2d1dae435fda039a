import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { z } from 'zod';
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
  type Plugin,
  type Recording,
  type Session,
} from '@postern/plugin-sdk';

/**
 * A protocol for tests, of lines. The client says `hello <user>`; then each line
 * is a command that makes the session do one thing that sessions do, and is
 * answered by one line: `ok <result>` or `error <code>`. A refusal is the line
 * `no <code> <message>`.
 */
export const lines = defineProtocol({
  id: 'lines',
  title: 'Lines',
  posture: 'hostile-client',
  transport: { kind: 'tls', alpn: ['lines'] },
  config: z.strictObject({ greeting: z.string().default('ok hello') }),
  auth: {
    resource: z.strictObject({
      host: z.string().default('127.0.0.1'),
      port: z.int().positive().default(9),
      note: z.string().optional(),
    }),
    endpoints: ({ host, port }) => [{ host, port }],
    ask: z.strictObject({ user: z.string() }),
    access: z.strictObject({ users: z.array(z.string()).default([]) }),
    permits: ({ users }, { user }) => users.includes(user) || users.includes('*'),
    forbids: ({ users }, { user }) => users.includes(user) || users.includes('*'),
    preset: { users: ['{{internal.users}}'] },
    principals: ({ users }) => users,
  },
  audit: { said: event('The client said something.', { text: field.public(z.string()) }) },
  recordings: {
    screen: { title: 'Screen', format: 'terminal' },
    journal: { title: 'Journal', format: 'lines' },
  },
});
type Lines = typeof lines;

type Command = (argument: string, grant: Grant<Lines>, client: ClientLink) => Promise<string>;

export class LineSession implements Session<Lines> {
  static readonly inject = [SessionContext];
  #recording: Recording | undefined;
  #reader: FrameReader | undefined;

  constructor(private readonly context: SessionContext<Lines>) {}

  async open(client: ClientLink) {
    this.#reader = new FrameReader(client.stream, 1024);
    const user = /^hello (\S+)$/.exec((await this.#reader.line()) ?? '')?.[1];
    if (user === undefined) throw new PosternError('protocol_violation', 'the client did not say hello');
    return { user };
  }

  async serve(client: ClientLink, grant: Grant<Lines>): Promise<void> {
    await write(client.stream, `${this.context.config.greeting}\n`);
    const over = once(this.context.signal, 'abort');
    while (this.#reader) {
      const text = await Promise.race([this.#reader.line(), over.then(() => undefined)]);
      if (text === undefined || text === 'bye') return;
      const [, name = '', argument = ''] = /^(\S+) ?(.*)$/.exec(text) ?? [];
      const answer = await this.#run(name, argument, grant, client);
      if (answer === undefined) return;
      await write(client.stream, `${answer}\n`);
    }
  }

  async refuse(client: ClientLink, { code, message }: Denial): Promise<void> {
    await write(client.stream, `no ${code} ${message}\n`);
  }

  async #run(name: string, argument: string, grant: Grant<Lines>, client: ClientLink): Promise<string | undefined> {
    if (name === 'fail') throw new Error(`failed as told: ${argument}`);
    if (name === 'pipe') return relay(client.stream, await grant.dial()).then(() => undefined);
    const command = this.#commands[name];
    if (!command) return 'error unknown';
    return command(argument, grant, client).then(
      (result) => `ok ${result}`,
      (cause: unknown) => `error ${PosternError.from(cause).code}`,
    );
  }

  readonly #commands: Readonly<Record<string, Command>> = {
    id: async () => this.context.id,
    source: async (_, __, client) => client.source,
    whoami: async (_, { identity }) => `${identity.user} ${identity.serial} ${identity.roles.join(',')}`,
    say: async (text) => {
      await this.context.audit.emit('said', { text });
      return text;
    },
    dial: async (_, grant) => {
      (await grant.dial()).destroy();
      return 'dialled';
    },
    become: async (who, { credentials }) => {
      const { certificate, key } = await credentials.tls(who);
      return `${new X509Certificate(certificate).subject} ${key.length > 0}`;
    },
    login: async (who, { credentials }) => (await credentials.openSsh(who)).certificate.split(' ')[0] ?? '',
    assert: async (audience, { credentials }) => credentials.assertion(audience),
    secret: async (which, { credentials }) => credentials.secret(which),
    require: async (user, grant) => (await grant.require({ user })).ask.user,
    record: async (kind) => {
      this.#recording = await this.context.record(kind, { columns: 80, rows: 24 });
      return kind;
    },
    out: async (text) => {
      await this.#recording?.write('out', Buffer.from(text));
      return String(text.length);
    },
    flood: async (bytes) => {
      for (let left = Number(bytes); left > 0; left -= 65_536)
        await this.#recording?.write('out', Buffer.alloc(Math.min(left, 65_536), 'x'));
      return bytes;
    },
    stop: async () => {
      await this.#recording?.close();
      return 'stopped';
    },
  };
}

/** The plugin, and what its agent half is told and does beside its sessions. */
export const linePlugin = (changes: Partial<Pick<Plugin<Lines>, 'agent'>> = {}): Plugin =>
  definePlugin(lines, { agent: async () => ({ Session: LineSession }), ...changes });

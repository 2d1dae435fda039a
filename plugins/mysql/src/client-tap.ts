import { PosternError, type Grant, type Hold, type Tapped } from '@postern/plugin-sdk';
import { command, commandOf, isReplication } from './command.js';
import { PacketWalker, type SeenPayload } from './packet-walker.js';
import type { PreparedStatements } from './prepared-statements.js';
import type { Mysql } from './protocol.js';
import type { ResponseReader } from './response-reader.js';
import { schemasUsed } from './statement-scanner.js';
import type { StatementLog } from './statement-log.js';
import { encodePacket, errorPayload, malformed } from './wire.js';

export interface ClientTapOptions {
  readonly grant: Grant<Mysql>;
  readonly log: StatementLog;
  readonly responses: ResponseReader;
  readonly statements: PreparedStatements;
  readonly maxStatementBytes: number;
  /**
   * Tells the client something in the server's place, when no answer of the server is missing. Nothing more is read
   * before it resolves: whoever asks for what is denied, and reads no answers, would have us keep them.
   */
  reply(packet: Buffer): Promise<void>;
  /** Becomes another user at the database; resolves with what the client is told. */
  changeUser(payload: Buffer, sequence: number): Promise<Buffer>;
}

/** Commands that are reported as statements. */
const statementEvents: ReadonlyMap<number, 'query' | 'prepare' | 'execute'> = new Map([
  [command.query, 'query'],
  [command.prepare, 'prepare'],
  [command.execute, 'execute'],
  [command.bulkExecute, 'execute'],
]);

/** Commands whose argument is the name of a schema. */
const nameSchema: ReadonlySet<string> = new Set(['init_db', 'create_db', 'drop_db']);

const commandFields = (name: string, argument: string) => ({
  command: name,
  ...(nameSchema.has(name) && { argument }),
});

/**
 * Follows what a client sends. Each command is decided where it names a schema,
 * a user or more, and reported before its last byte goes on. A denied one is
 * answered here; where its beginning has gone on already, the session ends.
 */
export class ClientTap {
  readonly #walker: PacketWalker;
  #data = Buffer.alloc(0) as Buffer;
  #at = 0;
  /** Where the command that is being read begins, if in this chunk. */
  #start: number | undefined;
  #from = 0;
  #onward: Buffer[] = [];

  constructor(private readonly options: ClientTapOptions) {
    this.#walker = new PacketWalker(options.maxStatementBytes + 1);
  }

  readonly tap = (chunk: Buffer): Tapped | Promise<Tapped> => {
    this.#data = chunk;
    this.#at = this.#from = 0;
    this.#onward = [];
    this.#start = undefined;
    return this.#drain();
  };

  #drain(): Tapped | Promise<Tapped> {
    for (;;) {
      if (this.#walker.idle) this.#start = this.#at;
      const seen = this.#walker.next(this.#data, this.#at);
      this.#at = seen?.at ?? this.#data.length;
      if (!seen) return this.#passOn();
      const hold = this.#payload(seen);
      if (hold instanceof Promise) return hold.then(() => this.#drain());
    }
  }

  #passOn(): Tapped {
    if (this.#from === 0) return undefined;
    this.#onward.push(this.#data.subarray(this.#from));
    return Buffer.concat(this.#onward);
  }

  #payload(seen: SeenPayload): Hold {
    const { responses } = this.options;
    if (responses.wantsFile) {
      // The content of a file ends with an empty packet.
      if (seen.length === 0) responses.fileSent();
      return;
    }
    const byte = seen.head[0];
    const info = byte === undefined ? undefined : commandOf(byte);
    if (byte === undefined || !info || seen.sequence !== 0) throw malformed();
    if (byte === command.changeUser) return this.#changeUser(seen);
    const decided = this.#decide(byte, seen);
    if (!(decided instanceof Promise)) return this.#report(byte, seen);
    return decided.then(
      () => this.#report(byte, seen),
      (cause: unknown) => this.#deny(cause, seen),
    );
  }

  /** What a command needs beyond the grant of the session. */
  #decide(byte: number, { head }: SeenPayload): Hold {
    const { grant } = this.options;
    if (isReplication(byte)) return grant.check({ ...grant.ask, replication: true });
    if (byte === command.initDatabase) return this.#enter([head.toString('utf8', 1)]);
    if (byte === command.query) return this.#enter(schemasUsed(head.toString('utf8', 1)));
  }

  #enter(databases: readonly string[]): Hold {
    const { grant } = this.options;
    const { user } = grant.ask;
    const held = databases
      .map((database) => grant.check({ user, database, replication: false }))
      .filter((hold) => hold instanceof Promise);
    if (held.length > 0) return Promise.all(held).then(() => undefined);
  }

  #report(byte: number, seen: SeenPayload): Hold {
    const { log, responses, statements } = this.options;
    const info = commandOf(byte);
    const statement = this.#text(seen);
    const prepared = (id: number, parameters: number): void => statements.add(id, statement, parameters);
    responses.expect(info?.response ?? 'none', byte === command.prepare ? prepared : undefined);
    const answered = info?.response !== 'none';
    const name = statementEvents.get(byte);
    if (name) return log.sent(name, this.#statementFields(byte, seen, statement), answered);
    statements.follow(byte, seen.head);
    // What is sent ahead belongs to an execution, which is reported.
    if (byte === command.longData || byte === command.closeStatement) return;
    return log.sent('command', commandFields(info?.name ?? '', statement), answered);
  }

  #statementFields(byte: number, { head, length }: SeenPayload, statement: string): Readonly<Record<string, unknown>> {
    const { statements, maxStatementBytes } = this.options;
    const size = { statementBytes: length - 1, ...(length > maxStatementBytes && { truncated: true }) };
    if (byte === command.execute) return { ...size, ...statements.execution(head) };
    if (byte !== command.bulkExecute) return { ...size, statement };
    const run = statements.statementOf(head);
    return { ...size, bulk: true, ...(run !== undefined && { statement: run }) };
  }

  #text({ head }: SeenPayload): string {
    return head.toString('utf8', 1, this.options.maxStatementBytes);
  }

  #deny(cause: unknown, { sequence, length }: SeenPayload): Promise<void> {
    const { responses } = this.options;
    const deniable = PosternError.is(cause) && (cause.code === 'access_denied' || cause.code === 'invalid_argument');
    // The beginning has gone on, or an earlier command is not answered yet: there is no place for an answer.
    if (!deniable || this.#start === undefined || !responses.idle || length === 0) throw cause;
    this.#drop();
    const error = { number: 1044, state: '42000', message: cause.publicMessage };
    return this.options.reply(encodePacket(sequence + 1, errorPayload(error)));
  }

  async #changeUser(seen: SeenPayload): Promise<void> {
    const { responses } = this.options;
    if (this.#start === undefined || !responses.idle || seen.length > this.options.maxStatementBytes)
      throw PosternError.public('protocol_violation', 'a change of user must be sent by itself');
    this.#drop();
    await this.options.reply(await this.options.changeUser(Buffer.from(seen.head), seen.sequence));
  }

  /** Takes the command that has just ended out of what goes on. */
  #drop(): void {
    if (this.#start !== undefined && this.#start > this.#from)
      this.#onward.push(this.#data.subarray(this.#from, this.#start));
    this.#from = this.#at;
  }
}

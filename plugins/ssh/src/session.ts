import type { Duplex } from 'node:stream';
import {
  inject,
  injectable,
  PosternError,
  SessionContext,
  type ClientLink,
  type Denial,
  type Grant,
  type Session,
} from '@postern/plugin-sdk';
import { Authentication, type Proven } from './authentication.js';
import { Channels } from './channels.js';
import { Conversation } from './conversation.js';
import { checkReachable } from './launch.js';
import { firstAndLastWords } from './last-words.js';
import { Logins } from './login.js';
import type { Ssh, SshAsk } from './protocol.js';
import { SshConnection } from './ssh-connection.js';
import { Machine } from './upstream.js';
import { plainLine } from './wire.js';

/** A program whose session is cut has this long before it is killed: the reason is said afterwards. */
const cutGraceMs = 400;
const farewellMs = 700;
/** How long a client may take to show the last line. */
const shownMs = 150;

/** One SSH connection, from its identification to the end of all its channels. */
@injectable()
export class SshSession implements Session<Ssh> {
  #authentication: Authentication | undefined;
  #connection: SshConnection | undefined;
  /** True once the client may have read the server's identification. */
  #greeted = false;
  #proven: Proven | undefined;
  #channels: Channels | undefined;

  constructor(
    @inject(SessionContext) private readonly context: SessionContext<Ssh>,
    @inject(Logins) private readonly logins: Logins,
    @inject(Machine) private readonly machine: Machine,
  ) {}

  async open(client: ClientLink): Promise<SshAsk> {
    const { config, log } = this.context;
    const late = new PosternError('timeout', 'the client did not log in', { publicMessage: 'the login took too long' });
    const proven = await before(config.login_grace_seconds * 1000, late, async () => {
      const credential = await client.server.openSsh();
      this.#greeted = true;
      this.#connection = await SshConnection.receive(client.stream, {
        credential,
        log,
        keepaliveMs: config.keepalive_seconds * 1000,
        limits: { channels: config.max_channels },
      });
      this.#authentication = new Authentication(this.#connection, client, log);
      return this.#authentication.proven;
    });
    this.#proven = proven;
    return { login: proven.login };
  }

  async serve(client: ClientLink, grant: Grant<Ssh>): Promise<void> {
    const { context, machine } = this;
    const connection = this.#connection;
    if (!connection || !this.#proven) throw new PosternError('internal', 'served before it was opened');
    const login = await this.logins.find(grant.ask.login);
    checkReachable(login);
    const extensions = new Set(this.#proven.certificate.extensions.keys());
    const parts = { context, connection, grant, login, machine, source: client.source, extensions };
    const channels = new Channels(new Conversation(parts));
    if (!this.#authentication?.accept()) return;
    this.#channels = channels;
    await either(connection.transport.over, context.signal);
    const cut = !connection.transport.over.aborted;
    const recorded = this.#recordViolation(connection);
    const ended = channels.end(cut ? cutGraceMs : context.config.hang_up_seconds * 1000, cut);
    // What is open must be closed whether or not the violation can be recorded, and without waiting for that.
    await Promise.allSettled([recorded, ended]);
    await recorded;
    await ended;
  }

  async refuse(client: ClientLink, denial: Denial): Promise<void> {
    const text = `postern: ${plainLine(denial.message)}`;
    if (!this.#greeted) return sayAndWait(client.stream, firstAndLastWords(text));
    // A client that has not identified itself does not speak the protocol: there is nothing to say.
    if (!this.#connection) return;
    if (!this.#channels) return this.#authentication?.refuse(text);
    this.#channels.say(text);
    // A client that is disconnected throws away what it has not shown yet; one that shares its connection shows only this.
    await either(this.#connection.transport.over, AbortSignal.timeout(shownMs));
    this.#connection.transport.disconnect(text);
  }

  async #recordViolation({ transport: { violation } }: SshConnection): Promise<void> {
    if (violation) await this.context.audit.emit('protocol_violation', { what: violation.message });
  }
}

/** Gives the client time to read and go: a stream that is closed over unread bytes takes back what was written. */
async function sayAndWait(stream: Duplex, words: Buffer): Promise<void> {
  stream.write(words);
  stream.resume();
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, farewellMs);
    const gone = (): void => {
      clearTimeout(timer);
      resolve();
    };
    stream.once('end', gone).once('close', gone);
  });
}

async function before<T>(ms: number, late: Error, work: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => (timer = setTimeout(() => reject(late), ms)));
  const running = work();
  try {
    return await Promise.race([running, limit]);
  } finally {
    clearTimeout(timer);
    // The loser of the race may still fail; nobody waits for it any more.
    running.catch(() => {});
  }
}

function either(...signals: readonly AbortSignal[]): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      for (const signal of signals) signal.removeEventListener('abort', done);
      resolve();
    };
    for (const signal of signals) signal.addEventListener('abort', done);
    if (signals.some((signal) => signal.aborted)) done();
  });
}

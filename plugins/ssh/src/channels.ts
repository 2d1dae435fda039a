import type { Connection, Session, TcpipBindInfo } from 'ssh2';
import { PosternError } from '@postern/plugin-sdk';
import type { Conversation } from './conversation.js';
import { Forwards, type Opening } from './forward.js';
import { ReverseForwards } from './reverse-forward.js';
import { SessionChannel } from './session-channel.js';
import type { SessionInternals } from './ssh2-internals.js';

type GlobalRequest = (
  accept: ((port?: number) => void) | undefined,
  reject: (() => void) | undefined,
  name: string,
  info: TcpipBindInfo,
) => void;

/** All that one logged-in client has open, and the only listener of its connection after the login. */
export class Channels {
  readonly #sessions = new Set<SessionChannel>();
  readonly #forwards: Forwards;
  readonly #reverse: ReverseForwards;
  /** What has yet to come to its end, and to be recorded. */
  readonly #work = new Set<Promise<void>>();
  #over = false;

  constructor(private readonly conversation: Conversation) {
    this.#forwards = new Forwards(conversation);
    this.#reverse = new ReverseForwards(conversation);
    this.#listen(conversation.connection.ssh);
  }

  /**
   * Ends every program, then what they left running, and every socket, and waits.
   * `cut` leaves the channels open for {@link say}, and gives both one grace
   * together: the end is recorded soon after it.
   */
  async end(graceMs: number, cut: boolean): Promise<void> {
    const begun = performance.now();
    this.#over = true;
    this.#forwards.close();
    for (const session of this.#sessions) this.#track(session.end(graceMs, cut));
    this.#track(this.#reverse.close());
    while (this.#work.size > 0) await Promise.all(this.#work);
    await this.conversation.sweep(cut ? graceMs - (performance.now() - begun) : graceMs);
  }

  /** Shows a last line in every terminal that the client has open. */
  say(text: string): void {
    for (const session of this.#sessions) session.say(text);
  }

  #listen(ssh: Connection): void {
    ssh.on('session', (accept, reject) => {
      if (this.#over) return reject();
      this.#openSession(accept());
    });
    ssh.on('tcpip', (accept, reject, info) => {
      if (this.#over) return reject();
      const opening: Opening = { accept, reject };
      this.#track(this.#forwards.open(opening, info));
    });
    const onRequest: GlobalRequest = (accept, reject, name, info) =>
      this.#track(
        this.#onRequest(name, info).then((port) => {
          if (port === undefined) reject?.();
          else accept?.(port);
        }),
      );
    ssh.on('request', onRequest as Parameters<Connection['on']>[1] & GlobalRequest);
  }

  #openSession(session: Session): void {
    const channel = (session as unknown as SessionInternals)._chanInfo.incoming.id;
    const opened = new SessionChannel(this.conversation, channel, session);
    this.#sessions.add(opened);
    session.once('close', () => {
      this.#sessions.delete(opened);
      if (!this.#over) this.#track(opened.end(this.conversation.context.config.hang_up_seconds * 1000));
    });
  }

  /** The port, or nothing where the request is refused. */
  async #onRequest(name: string, info: TcpipBindInfo): Promise<number | undefined> {
    if (this.#over) return undefined;
    try {
      if (name === 'tcpip-forward') return await this.#reverse.open(info);
      if (name === 'cancel-tcpip-forward' && (await this.#reverse.cancel(info))) return info.bindPort;
    } catch (cause) {
      this.#report(cause);
    }
    return undefined;
  }

  #track(work: Promise<void>): void {
    const tracked: Promise<void> = work
      .catch((cause: unknown) => this.#report(cause))
      .finally(() => this.#work.delete(tracked));
    this.#work.add(tracked);
  }

  #report(cause: unknown): void {
    this.conversation.context.log.debug('a channel failed', { cause: PosternError.from(cause).message });
  }
}

import { PosternError } from '@postern/plugin-sdk';
import type { PseudoTtyInfo, ServerChannel, Session, WindowChangeInfo } from 'ssh2';
import { forwardAgent } from './agent-forward.js';
import { ChannelStream } from './channel-stream.js';
import { textFor, type Conversation } from './conversation.js';
import { ClientEnvironment } from './environment.js';
import type { Terminal, Work } from './launch.js';
import type { LocalService } from './local-service.js';
import type { SshAction } from './protocol.js';
import { signalOf } from './program.js';
import type { Reply } from './request-replies.js';
import { RunningWork } from './running-work.js';
import type { ChannelInternals } from './ssh2-internals.js';
import { forwardX11, type X11Request } from './x11.js';
import { plainLine } from './wire.js';

const maximumReported = 16;
/** The exit status of what was refused. */
const refusedStatus = 254;

type Accept = () => ServerChannel | undefined;

/**
 * One session channel: what the client asks for before its program starts, the
 * program, and what reaches it later. Requests are pipelined, and their
 * decisions take time: each one waits for those before it.
 */
export class SessionChannel {
  readonly #environment: ClientEnvironment;
  readonly #services: LocalService[] = [];
  readonly #provided = new Set<SshAction>();
  readonly #notes: string[] = [];
  #steps: Promise<void> = Promise.resolve();
  #wanted: Terminal | undefined;
  #terminal: Terminal | undefined;
  #work: RunningWork | undefined;
  #stream: ChannelStream | undefined;
  #reported = 0;
  #over = false;

  constructor(
    private readonly conversation: Conversation,
    private readonly channel: number,
    session: Session,
  ) {
    this.#environment = new ClientEnvironment(conversation.context.config.accept_env);
    this.#listen(session);
  }

  /** Ends the program, if there is one, and what was opened for it. `cut` leaves the channel open for last words. */
  async end(graceMs: number, cut = false): Promise<void> {
    this.#over = true;
    await this.#work?.end(graceMs, cut);
    await this.#steps;
    await Promise.all(this.#services.splice(0).map((service) => service.close()));
  }

  /** Shows a last line in the client's terminal. */
  say(text: string): void {
    this.#stream?.stderr.write(`\r\n${text}\r\n`);
  }

  #listen(session: Session): void {
    session.on('pty', (_accept, _reject, info) => this.#onPty(info));
    session.on('window-change', (_accept, _reject, info) => this.#onResize(info));
    session.on('env', (_accept, _reject, { key, val }) => this.#onEnv(key, String(val)));
    session.on('signal', (_accept, _reject, { name }) => this.#onSignal(name));
    session.on('auth-agent', () => this.#provide('agent_forward', () => forwardAgent(this.conversation)));
    session.on('x11', (_accept, _reject, info) => this.#onX11(info as unknown as X11Wire));
    session.on('shell', (accept) => this.#onWork({ kind: 'shell' }, accept));
    session.on('exec', (accept, _reject, { command }) => this.#onWork({ kind: 'command', command }, accept));
    session.on('subsystem', (accept, _reject, { name }) => this.#onSubsystem(name, accept));
  }

  #onPty(info: PseudoTtyInfo & { term?: string }): void {
    const { replies, guard } = this.conversation.connection;
    const reply = replies.claim();
    if (this.#wanted) return reply.fail();
    const name = /^[A-Za-z0-9._+-]{1,64}$/.test(info.term ?? '') ? (info.term ?? '') : 'dumb';
    this.#wanted = { name, ...sizeOf(info), modes: guard.takeModes(this.channel) };
    this.#step(reply, async () => {
      if (!(await this.conversation.machine.hasTerminals()))
        throw PosternError.public('unavailable', 'this node has no terminals: @lydell/node-pty is not installed');
      await this.conversation.require('pty');
      this.#terminal = this.#wanted;
    });
  }

  #onResize(info: WindowChangeInfo): void {
    this.conversation.connection.replies.claim().succeed();
    const size = sizeOf(info);
    if (this.#wanted) this.#wanted = { ...this.#wanted, ...size };
    if (this.#terminal) this.#terminal = { ...this.#terminal, ...size };
    this.#work?.resize(size.columns, size.rows);
  }

  #onEnv(name: string, value: string): void {
    const reply = this.conversation.connection.replies.claim();
    if (this.#environment.set(name, value)) return reply.succeed();
    this.#reported += 1;
    if (this.#reported > maximumReported) return reply.fail();
    this.#step(reply, async () => {
      const safe = plainLine(name).slice(0, 128);
      await this.conversation.context.audit.emit('env_refused', { channel: this.channel, name: safe });
      reply.fail();
    });
  }

  #onSignal(name: string): void {
    const reply = this.conversation.connection.replies.claim();
    const signal = signalOf(name);
    if (!signal || !this.#work) return reply.fail();
    this.#work.signal(signal);
    reply.succeed();
  }

  #onX11({ single, protocol, cookie, screen }: X11Wire): void {
    const request: X11Request = { single, protocol, cookie: cookie.toString('latin1'), screen };
    this.#provide('x11', () => forwardX11(this.conversation, request));
  }

  #onSubsystem(name: string, accept: Accept): void {
    const { machine, context, connection } = this.conversation;
    const server = name === 'sftp' ? machine.sftpServer(context.config.sftp_server) : undefined;
    if (server !== undefined) return this.#onWork({ kind: 'sftp', server }, accept);
    const text = name === 'sftp' ? 'this node has no sftp-server' : `the subsystem ${plainLine(name)} is not offered`;
    this.#refuse(accept, connection.replies.claim(), text);
  }

  /** Opens something on the node that leads to the client, for the program to come. */
  #provide(action: SshAction & ('agent_forward' | 'x11'), open: () => Promise<LocalService>): void {
    const event = action === 'x11' ? 'x11_forward' : action;
    const reply = this.conversation.connection.replies.claim();
    if (this.#provided.has(action)) return reply.fail();
    this.#provided.add(action);
    this.#step(reply, async () => {
      await this.conversation.require(action);
      await this.conversation.context.audit.emit(event, { channel: this.channel });
      this.#services.push(await this.conversation.provide(open));
    });
  }

  /** ssh2 accepts nothing after the client's end of input, so this happens at once and the decision afterwards. */
  #onWork(work: Work, accept: Accept): void {
    const reply = this.conversation.connection.replies.claim();
    const stream = this.#open(accept);
    if (!stream) return reply.fail();
    this.#enqueue(() => this.#run(work, stream, reply));
  }

  #refuse(accept: Accept, reply: Reply, text: string): void {
    const stream = this.#open(accept);
    if (!stream) return reply.fail();
    this.#enqueue(async () => {
      await this.conversation.refused('subsystem', text);
      await this.#turnAway(stream, reply, text);
    });
  }

  #open(accept: Accept): ChannelStream | undefined {
    const channel = accept();
    if (!channel) return undefined;
    return (this.#stream = new ChannelStream(
      this.conversation.connection.transport,
      channel as unknown as ChannelInternals,
    ));
  }

  async #run(work: Work, stream: ChannelStream, reply: Reply): Promise<void> {
    try {
      for (const note of this.#notes) stream.stderr.write(`postern: ${note}\r\n`);
      const env = Object.assign({}, ...this.#services.map((service) => service.env)) as Record<string, string>;
      const started = await RunningWork.start(this.conversation, work, {
        channel: this.channel,
        stream,
        terminal: this.#terminal,
        environment: this.#environment,
        env,
      });
      this.#work = started;
      reply.succeed();
      if (this.#over) await started.end(0, true);
    } catch (cause) {
      this.conversation.context.log.debug('work refused', { cause: PosternError.from(cause).message });
      await this.#turnAway(stream, reply, textFor(cause));
    }
  }

  /**
   * Says why in the client's terminal. The request itself is accepted: a client
   * that is told of a failure throws away what it has not shown yet.
   */
  async #turnAway(stream: ChannelStream, reply: Reply, text: string): Promise<void> {
    reply.succeed();
    stream.stderr.write(`postern: ${text}\r\n`);
    await stream.conclude({ status: refusedStatus });
  }

  /** Does something after what was asked for before. */
  #enqueue(work: () => Promise<void>): void {
    this.#steps = this.#steps.then(work).catch((cause: unknown) => {
      this.conversation.context.log.debug('a request failed', { cause: PosternError.from(cause).message });
      this.#stream?.destroy();
    });
  }

  /** Handles a request after those before it. A failure does not end the channel; the client hears of it later. */
  #step(reply: Reply, work: () => Promise<void>): void {
    this.#steps = this.#steps.then(work).then(reply.succeed, (cause: unknown) => {
      this.#notes.push(textFor(cause));
      reply.fail();
    });
  }
}

/** The types of ssh2 have the cookie as text; it is a buffer. */
interface X11Wire {
  readonly single: boolean;
  readonly protocol: string;
  readonly cookie: Buffer;
  readonly screen: number;
}

function sizeOf({ cols, rows }: { cols: number; rows: number }): { columns: number; rows: number } {
  const bounded = (value: number, usual: number): number => (value > 0 && value <= 10_000 ? value : usual);
  return { columns: bounded(cols, 80), rows: bounded(rows, 24) };
}

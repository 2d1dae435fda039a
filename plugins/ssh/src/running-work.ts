import { PosternError } from '@postern/plugin-sdk';
import type { ChannelStream } from './channel-stream.js';
import { textFor, type Conversation } from './conversation.js';
import type { ClientEnvironment } from './environment.js';
import type { Terminal, Work } from './launch.js';
import type { SshAction } from './protocol.js';
import { exitForClient, type Exit, type Program } from './program.js';
import { pump } from './pump.js';
import { tapsFor, type Taps } from './work-taps.js';

export interface WorkPlace {
  readonly channel: number;
  readonly stream: ChannelStream;
  readonly terminal: Terminal | undefined;
  readonly environment: ClientEnvironment;
  /** Further variables: where the client's agent and screen are. */
  readonly env: Readonly<Record<string, string>>;
}

const actions = { shell: 'shell', command: 'exec', sftp: 'sftp' } as const satisfies Record<Work['kind'], SshAction>;

/** The exit status of what could not go on being recorded. */
const failedStatus = 255;

/** One program and its channel, from the decision to the exit status. */
export class RunningWork {
  readonly #recorded: Promise<void>;
  /** True once the session is cut: the channel stays open for the reason, and no exit status is sent. */
  #cut = false;
  #failure: PosternError | undefined;

  private constructor(
    private readonly conversation: Conversation,
    private readonly place: WorkPlace,
    private readonly program: Program,
    private readonly taps: Taps,
  ) {
    this.#recorded = this.#serve();
  }

  /** Decides, records and starts, in this order. Rejects with a text for the client. */
  static async start(conversation: Conversation, work: Work, place: WorkPlace): Promise<RunningWork> {
    const terminal = work.kind === 'sftp' ? undefined : place.terminal;
    await conversation.require(actions[work.kind], work.kind === 'command' ? { command: work.command } : {});
    await announce(conversation, work, place);
    const taps = await tapsFor(conversation, work, { channel: place.channel, terminal });
    try {
      const { context, login, source, machine } = conversation;
      const facts = { id: context.id, user: conversation.grant.identity.user, source, path: context.config.path };
      const env = place.environment.of(login, facts, place.env);
      // The decision and its record took a while: nothing may begin in a session that is over.
      if (context.signal.aborted || place.stream.destroyed) throw new PosternError('aborted', 'the session is over');
      const program = await machine.start(work, { login, env, ...(terminal && { terminal }) });
      conversation.started(program.pid);
      return new RunningWork(conversation, place, program, taps);
    } catch (cause) {
      await taps.close();
      throw cause;
    }
  }

  /** Hangs up, and waits until the end is recorded. */
  async end(graceMs: number, cut: boolean): Promise<void> {
    this.#cut ||= cut;
    await this.program.hangUp(graceMs);
    await this.#recorded;
  }

  resize(columns: number, rows: number): void {
    this.program.resize?.(columns, rows);
    this.taps.resize(columns, rows).catch((cause: unknown) => this.#fail(cause));
  }

  signal(name: NodeJS.Signals): void {
    this.program.signal(name);
  }

  /** Never rejects. */
  async #serve(): Promise<void> {
    const { stream } = this.place;
    const { program, taps } = this;
    const fail = (cause: unknown): void => this.#fail(cause);
    const hangUp = (): void => void program.hangUp(this.conversation.context.config.hang_up_seconds * 1000);
    stream.once('close', hangUp);
    if (stream.destroyed) hangUp();
    pump(stream, program.input, taps.input).then(() => {
      // A terminal has one stream for both directions, and no end of input besides the character for it.
      if (program.errors) program.input.end();
    }, fail);
    const output = pump(program.output, stream, taps.output).catch(fail);
    const errors = program.errors ? pump(program.errors, stream.stderr).catch(fail) : undefined;
    const exit = await program.ended;
    await Promise.all([output, errors]);
    stream.off('close', hangUp);
    await this.#record(exit).catch((cause: unknown) =>
      this.conversation.context.log.warn('the end of a channel could not be recorded', {
        cause: PosternError.from(cause).message,
      }),
    );
    // A client that does not read must not hold up the end of the session.
    void this.#sayGoodbye(exit);
  }

  async #record(exit: Exit): Promise<void> {
    await this.taps.close();
    await this.conversation.context.audit.emit('exit', { channel: this.place.channel, ...exit });
  }

  /** Never rejects: a channel that is closed meanwhile is what was wanted. */
  async #sayGoodbye(exit: Exit): Promise<void> {
    const { stream } = this.place;
    if (this.#cut || stream.destroyed) return;
    if (this.#failure) stream.stderr.write(`\r\npostern: ${textFor(this.#failure)}\r\n`);
    await stream.conclude(this.#failure ? { status: failedStatus } : exitForClient(exit));
  }

  /** What cannot be recorded must not go on. */
  #fail(cause: unknown): void {
    this.#failure ??= PosternError.from(cause);
    void this.program.hangUp(0);
  }
}

/** Records what is about to be started. */
async function announce({ context }: Conversation, work: Work, { channel, terminal }: WorkPlace): Promise<void> {
  const isTerminal = terminal !== undefined;
  if (work.kind === 'shell') await context.audit.emit('shell', { channel, terminal: isTerminal });
  if (work.kind === 'command')
    await context.audit.emit('exec', { channel, terminal: isTerminal, command: work.command });
  if (work.kind === 'sftp') await context.audit.emit('sftp_start', { channel });
}

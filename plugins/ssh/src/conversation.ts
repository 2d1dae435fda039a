import { PosternError, type Grant, type SessionContext } from '@postern/plugin-sdk';
import { endLeftovers } from './leftovers.js';
import type { LocalService } from './local-service.js';
import type { Login } from './login.js';
import type { Ssh, SshAction, SshAsk } from './protocol.js';
import type { SshConnection } from './ssh-connection.js';
import { machineProcesses, precedes } from './process-table.js';
import type { Machine } from './upstream.js';
import { plainLine } from './wire.js';

export interface ConversationParts {
  readonly context: SessionContext<Ssh>;
  readonly connection: SshConnection;
  readonly grant: Grant<Ssh>;
  readonly login: Login;
  readonly machine: Machine;
  /** The client's address. */
  readonly source: string;
  /** The extensions of the client's certificate. */
  readonly extensions: ReadonlySet<string>;
}

/** Each is a socket and a directory of the node's. */
const maximumServices = 16;

/** What a certificate must permit before a role is asked; the other actions come with every certificate. */
const extensionFor: Readonly<Partial<Record<SshAction, string>>> = {
  pty: 'permit-pty',
  forward: 'permit-port-forwarding',
  reverse_forward: 'permit-port-forwarding',
  agent_forward: 'permit-agent-forwarding',
  x11: 'permit-X11-forwarding',
};

/** What all channels of one logged-in client share. */
export class Conversation implements ConversationParts {
  readonly context: SessionContext<Ssh>;
  readonly connection: SshConnection;
  readonly grant: Grant<Ssh>;
  readonly login: Login;
  readonly machine: Machine;
  readonly source: string;
  readonly extensions: ReadonlySet<string>;
  #services = 0;
  #first: { readonly pid: number; readonly at: number } | undefined;

  constructor(parts: ConversationParts) {
    this.context = parts.context;
    this.connection = parts.connection;
    this.grant = parts.grant;
    this.login = parts.login;
    this.machine = parts.machine;
    this.source = parts.source;
    this.extensions = parts.extensions;
  }

  /** Rejects with a text for the client unless both the certificate and a role permit the action. */
  async require(action: SshAction, more: Pick<SshAsk, 'host' | 'port' | 'command'> = {}): Promise<Grant<Ssh>> {
    const extension = extensionFor[action];
    if (extension !== undefined && !this.extensions.has(extension)) {
      await this.refused(action, `the certificate lacks ${extension}`);
      throw PosternError.public('access_denied', `the certificate does not carry ${extension}`);
    }
    return this.grant.require({ ...more, login: this.login.name, action });
  }

  /** Opens something on the node that leads to the client, unless there is enough of it. */
  async provide(open: () => Promise<LocalService>): Promise<LocalService> {
    if (this.#services >= maximumServices)
      throw PosternError.public('limit_exceeded', 'too many agents and screens are forwarded');
    this.#services += 1;
    try {
      const service = await open();
      const close = async (): Promise<void> => {
        this.#services -= 1;
        await service.close();
      };
      return { env: service.env, close };
    } catch (cause) {
      this.#services -= 1;
      throw cause;
    }
  }

  /** A program of the session runs. Programs that begin at once may be reported in another order. */
  started(pid: number): void {
    if (!this.#first) this.#first = { pid, at: performance.now() };
    else if (precedes(pid, this.#first.pid, machineProcesses.round)) this.#first = { pid, at: this.#first.at };
  }

  /** Ends what the session's programs left running, once they have ended themselves, and records how many that were. */
  async sweep(graceMs: number): Promise<void> {
    const { context, login } = this;
    if (!this.#first || context.config.linger) return;
    const { pid: first, at } = this.#first;
    const ageMs = performance.now() - at;
    await endLeftovers({
      session: context.id,
      uid: login.uid,
      first,
      ageMs,
      graceMs,
      report: async (processes) => context.audit.emit('left_running', { processes }),
    });
  }

  /** Records that something was refused for a reason that is not a role's. */
  async refused(type: string, reason: string): Promise<void> {
    await this.context.audit.emit('channel_refused', { type: plainLine(type).slice(0, 64), reason });
  }
}

/** What a client is told about a failure. */
export const textFor = (cause: unknown): string => plainLine(PosternError.from(cause).publicMessage);

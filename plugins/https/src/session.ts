import {
  inject,
  injectable,
  PosternError,
  SessionContext,
  write,
  type ClientLink,
  type Denial,
  type Grant,
  type Session,
} from '@postern/plugin-sdk';
import { HttpRefusal } from '@postern/plugin-sdk/http1';
import { ClientGate } from './client-gate.js';
import { Conversation } from './conversation.js';
import { Journal } from './journal.js';
import type { Https, HttpsAsk } from './protocol.js';
import { encodeRefusal, refusalOf } from './refusal.js';

/** One client's connection: HTTP/1.1, each request decided by itself. */
@injectable()
export class HttpsSession implements Session<Https> {
  #gate: ClientGate | undefined;
  #conversation: Conversation | undefined;
  /** Why we turn somebody away, where it is not for a denial. */
  #wrong: HttpRefusal | PosternError | undefined;

  constructor(@inject(SessionContext) private readonly context: SessionContext<Https>) {}

  /** Waits for a whole head, so that the client will read what it is told; what it wants is decided by request. */
  async open({ stream }: ClientLink): Promise<HttpsAsk> {
    return this.#remembering(async () => {
      await this.#gateOf(stream).first();
      return {};
    });
  }

  async serve(client: ClientLink, grant: Grant<Https>): Promise<void> {
    await this.#remembering(async () => {
      const { resource, audit } = this.context;
      const secrets = await secretHeaders(resource.spec.secret_headers, grant);
      const header = { resource: resource.name, user: grant.identity.user, startedAt: new Date().toISOString() };
      const recording = await this.context.record('requests', header);
      const gate = this.#gateOf(client.stream);
      const journal = new Journal(audit, recording);
      const conversation = new Conversation({ context: this.context, grant, client, gate, journal, secrets });
      this.#conversation = conversation;
      const stop = (): void => gate.silence();
      this.context.signal.addEventListener('abort', stop, { once: true });
      try {
        if (this.context.signal.aborted) stop();
        await conversation.run();
      } finally {
        this.context.signal.removeEventListener('abort', stop);
        await conversation[Symbol.asyncDispose]();
      }
    });
  }

  async refuse({ stream }: ClientLink, denial: Denial): Promise<void> {
    if (await this.#conversation?.farewell(denial)) return;
    const gate = this.#gate;
    const request = gate?.last;
    const owed = gate === undefined || gate.owed;
    gate?.silence();
    if (!owed) return;
    const own = this.context.signal.aborted ? undefined : this.#wrong;
    const refusal = refusalOf(own ?? denial, request?.head.fields.all('accept')[0]);
    await write(stream, encodeRefusal(refusal, request?.head.method));
  }

  #gateOf(stream: ClientLink['stream']): ClientGate {
    const { config } = this.context;
    this.#gate ??= new ClientGate(stream, {
      maxHeadBytes: config.max_head_bytes,
      headMs: config.head_timeout_seconds * 1000,
      bodyMs: config.body_timeout_seconds * 1000,
      answerMs: config.half_closed_seconds * 1000,
      idleMs: config.keep_alive_seconds * 1000,
    });
    return this.#gate;
  }

  async #remembering<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      const error = PosternError.from(cause);
      this.#wrong = cause instanceof HttpRefusal ? cause : error;
      throw cause;
    }
  }
}

async function secretHeaders(
  names: Readonly<Record<string, string>>,
  grant: Grant<Https>,
): Promise<Readonly<Record<string, string>>> {
  const values = await Promise.all(
    Object.entries(names).map(async ([header, secret]) => {
      const value = (await grant.credentials.secret(secret)).trim();
      if (!/^[\x21-\x7e](?:[\x20-\x7e]{0,16382}[\x21-\x7e])?$/.test(value))
        throw new PosternError('invalid_config', `the secret ${secret} cannot stand in a header`, {
          publicMessage: 'the agent has no credentials for this application',
        });
      return [header, value] as const;
    }),
  );
  return Object.fromEntries(values);
}

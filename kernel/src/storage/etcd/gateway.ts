import type { IncomingMessage } from 'node:http';
import { PosternError } from '@postern/plugin-sdk';
import { Connections, NotAnswered } from './connection.js';
import type { EtcdOptions } from './options.js';

/** An answer of etcd that is an error. */
export class EtcdError extends Error {
  constructor(
    message: string,
    /** Of gRPC: 11 is out of range, 16 unauthenticated. */
    readonly code: number,
  ) {
    super(message);
  }

  /** The revision that was asked for is compacted, or of the future. */
  get outOfRange(): boolean {
    return this.code === 11;
  }
}

/** Whether a request may be sent again where nobody knows if it was carried out. */
type Repeatable = 'repeatable' | 'once';

/** No answer is longer: a page of the largest values. */
const longestAnswer = 256 * 1024 * 1024;
/** No event is longer: a commit of the largest size in base 64, with room to spare. */
const longestLine = 8 * 1024 * 1024;

/** The member that is asked, until it fails. */
class Use {
  readonly #left = new AbortController();

  constructor(
    readonly member: number,
    readonly endpoint: string,
  ) {}

  /** Aborted when the member is left: what goes on there may never say anything again. */
  get left(): AbortSignal {
    return this.#left.signal;
  }

  leave(): void {
    this.#left.abort();
  }
}

/**
 * etcd's API as JSON over HTTP, as its own gateway offers it on the same port.
 * Requests go to one member, and to the next where that one does not answer;
 * streams end with it, so that they go on at the next as well.
 */
export class Gateway {
  readonly #connections: Connections;
  readonly #timeoutMs: number;
  #use: Use;
  #token: string | undefined;

  constructor(private readonly options: EtcdOptions) {
    this.#connections = new Connections(options.tls);
    this.#timeoutMs = options.timeoutMs ?? 10_000;
    this.#use = this.#member(0);
  }

  /** Rejects with {@link EtcdError} for what etcd refuses, and with `unavailable` where nobody answers in time. */
  async call<T>(path: string, body: unknown, repeatable: Repeatable = 'repeatable'): Promise<T> {
    const { endpoints } = this.options;
    const deadline = AbortSignal.timeout(this.#timeoutMs);
    for (let tries = 1; ; tries++) {
      const use = this.#use;
      // A member that swallows requests must leave time for the others.
      const signal = AbortSignal.any([deadline, AbortSignal.timeout(this.#timeoutMs / endpoints.length)]);
      try {
        return await this.#ask<T>(use.endpoint, path, body, signal);
      } catch (cause) {
        if (cause instanceof EtcdError && isRefused(cause)) throw cause;
        this.#next(use);
        const effectless = repeatable === 'repeatable' || (cause instanceof NotAnswered && !cause.sent);
        if (!effectless || tries >= endpoints.length || deadline.aborted) throw unavailable(cause);
      }
    }
  }

  /**
   * The answers to a request that goes on, one by one as they are read. Nothing
   * is read ahead. Rejects with `unavailable` where it breaks, where there is no
   * first answer in time, and where its member is left.
   */
  async *stream(path: string, body: unknown, signal: AbortSignal): AsyncGenerator<unknown, void, undefined> {
    const use = this.#use;
    const opening = new AbortController();
    const timer = setTimeout(() => opening.abort(), this.#timeoutMs).unref();
    try {
      const ending = AbortSignal.any([signal, use.left, opening.signal]);
      const token = await this.#authenticate(ending);
      const message = { path, body, token, signal: ending, needsLeader: true };
      const response = await this.#connections.send(use.endpoint, message);
      clearTimeout(timer);
      for await (const line of lines(response)) {
        const { result, error } = JSON.parse(line) as { result?: unknown; error?: unknown };
        if (error !== undefined || result === undefined) throw etcdError(error ?? JSON.parse(line));
        yield result;
      }
    } catch (cause) {
      if (cause instanceof EtcdError && cause.code === 16) this.#token = undefined;
      if (!signal.aborted) this.#next(use);
      throw cause instanceof EtcdError && isRefused(cause) ? cause : unavailable(cause);
    } finally {
      clearTimeout(timer);
    }
  }

  close(): void {
    this.#connections.close();
  }

  async #ask<T>(endpoint: string, path: string, body: unknown, signal: AbortSignal): Promise<T> {
    for (let again = false; ; again = true) {
      const token = await this.#authenticate(signal);
      try {
        return await this.#exchange<T>(endpoint, { path, body, token, signal });
      } catch (cause) {
        // Tokens end after some minutes, and with the member that gave them.
        if (again || token === undefined || !(cause instanceof EtcdError) || cause.code !== 16) throw cause;
        this.#token = undefined;
      }
    }
  }

  async #exchange<T>(endpoint: string, message: Parameters<Connections['send']>[1]): Promise<T> {
    const response = await this.#connections.send(endpoint, message);
    const text = await whole(response).catch((cause: unknown) => {
      throw new NotAnswered(`${endpoint}: the answer broke off`, true, cause);
    });
    const answer = parsed(text);
    if (response.statusCode !== 200) throw etcdError(answer);
    return answer as T;
  }

  async #authenticate(signal: AbortSignal): Promise<string | undefined> {
    const { user, password } = this.options;
    if (user === undefined || password === undefined || this.#token !== undefined) return this.#token;
    const body = { name: user, password: await password() };
    const message = { path: '/v3/auth/authenticate', body, token: undefined, signal };
    const { token } = await this.#exchange<{ token?: string }>(this.#use.endpoint, message);
    return (this.#token = token);
  }

  #member(index: number): Use {
    const member = index % this.options.endpoints.length;
    return new Use(member, this.options.endpoints[member] ?? '');
  }

  /** Also of one member alone: what goes on there begins anew. */
  #next(failed: Use): void {
    if (this.#use !== failed) return;
    this.#use = this.#member(failed.member + 1);
    this.#token = undefined;
    failed.leave();
  }
}

/** What the request itself was refused for; anything else another member may answer better, or the same one later. */
const isRefused = ({ code }: EtcdError): boolean => [3, 5, 7, 9, 11].includes(code);

function etcdError(answer: unknown): EtcdError {
  const { code, grpc_code, message, error } = (answer ?? {}) as Record<string, unknown>;
  const number = Number(code ?? grpc_code ?? 2);
  const text = [message, error].find((one) => typeof one === 'string') ?? 'an error without words';
  return new EtcdError(String(text), number);
}

const unavailable = (cause: unknown): PosternError =>
  PosternError.is(cause)
    ? cause
    : new PosternError(
        'unavailable',
        `the storage did not answer: ${cause instanceof Error ? cause.message : String(cause)}`,
        { cause },
      );

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new NotAnswered('the answer is not JSON', true, undefined);
  }
}

async function whole(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > longestAnswer) throw new RangeError('the answer is too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

async function* lines(response: IncomingMessage): AsyncGenerator<string, void, undefined> {
  let pending: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    let from = 0;
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, from)) {
      yield Buffer.concat([...pending, chunk.subarray(from, at)]).toString();
      [pending, length, from] = [[], 0, at + 1];
    }
    if (from === chunk.length) continue;
    length += chunk.length - from;
    if (length > longestLine) throw new RangeError('an answer is too long');
    pending.push(chunk.subarray(from));
  }
}

import type { Duplex } from 'node:stream';
import { PosternError, type Grant, type Hold, type Tapped } from '@postern/plugin-sdk';
import {
  BodyTracker,
  connectionOptions,
  encodeRequestHead,
  forwardedFields,
  HeadCollector,
  readRequestHead,
  requestFraming,
  type BodyFraming,
  type ConnectionOptions,
  type HeaderFields,
  type RequestHead,
} from '@postern/plugin-sdk/http1';
import { isSelfReview, readApiRequest, type ApiRequest } from './api-request.js';
import type { Exchange } from './exchange.js';
import { subjectOf, withoutIdentity, type Subject } from './impersonation.js';
import type { Line } from './line.js';
import type { KubernetesAsk, Kubernetes } from './protocol.js';
import { narrowFramings, remoteCommand } from './remote-command.js';
import { statusResponse } from './status.js';

/** A request that may be forwarded, or the reason why not. */
interface Prepared {
  readonly subject: Subject;
  readonly request: ApiRequest;
  readonly fields: HeaderFields;
  readonly exchange: Exchange;
}

/**
 * Follows what a client sends: reads each request's head, has it decided and
 * recorded, and puts whom it is made as in the place of what the client said.
 * Bodies go on as they came.
 */
export class ClientTap {
  readonly #collector = new HeadCollector();
  #body = new BodyTracker({ kind: 'none' });
  /** True while the body of a request that was refused goes by. */
  #discarding = false;
  #close = false;
  #sequence = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly line: Line,
    private readonly grant: Grant<Kubernetes>,
    private readonly streams: { readonly client: Duplex; readonly upstream: Duplex },
  ) {}

  readonly tap = (chunk: Buffer): Tapped | Promise<Tapped> => {
    const { conversation } = this.line;
    if (conversation) return this.#followed(chunk, conversation.fromClient(chunk));
    return this.#advance(chunk, 0, []);
  };

  /** No head is awaited any more. */
  dispose(): void {
    clearTimeout(this.#timer);
  }

  #followed(chunk: Buffer, hold: Hold): Tapped | Promise<Tapped> {
    return hold ? hold.then(() => chunk) : undefined;
  }

  #advance(chunk: Buffer, from: number, out: Buffer[]): Tapped | Promise<Tapped> {
    let at = from;
    while (at < chunk.length) {
      if (!this.#body.done) {
        const end = this.#body.take(chunk, at);
        if (!this.#discarding) out.push(chunk.subarray(at, end));
        at = end;
        continue;
      }
      if (this.#close) break;
      if (this.line.turns.pending) return this.#later(chunk, at, out);
      const found = this.#collector.take(chunk, at);
      this.#watch(found === undefined);
      if (!found) break;
      at = found.end;
      const begun = this.#begin(found.head);
      if (begun instanceof Promise) return this.#resume(begun, chunk, { at, out });
      out.push(begun);
    }
    return joined(out);
  }

  /** Waits for the response to the request before, which may need what is still to be sent of that. */
  async #later(chunk: Buffer, at: number, out: Buffer[]): Promise<Tapped> {
    this.#flush(out);
    await this.line.turns.wait();
    const rest = chunk.subarray(at);
    const { conversation } = this.line;
    if (!conversation) return (await this.#advance(rest, 0, [])) ?? rest;
    await conversation.fromClient(rest);
    return rest;
  }

  async #resume(begun: Promise<Buffer>, chunk: Buffer, { at, out }: { at: number; out: Buffer[] }): Promise<Tapped> {
    this.#flush(out);
    return this.#advance(chunk, at, [await begun]);
  }

  #flush(out: readonly Buffer[]): void {
    for (const piece of out) this.streams.upstream.write(piece);
  }

  /** A head that does not come to its end would keep a connection for nothing. */
  #watch(unfinished: boolean): void {
    if (!unfinished) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
    } else
      this.#timer ??= setTimeout(
        () => this.streams.client.destroy(),
        this.line.context.config.head_timeout_seconds * 1000,
      ).unref();
  }

  /** What goes to the API server in the place of a head: nothing where it was refused and answered here. */
  #begin(bytes: Buffer): Buffer | Promise<Buffer> {
    const head = readRequestHead(bytes);
    const framing = requestFraming(head);
    const { close } = connectionOptions(head.version, head.fields);
    try {
      const prepared = this.#prepare(head, framing);
      const hold = this.#decide(prepared);
      if (hold) return this.#decided(hold, head, { prepared, framing, close });
      return this.#forward(head, prepared, { framing, close });
    } catch (cause) {
      return this.#refuse(head, cause, framing);
    }
  }

  async #decided(
    hold: Promise<void>,
    head: RequestHead,
    { prepared, framing, close }: { prepared: Prepared; framing: BodyFraming; close: boolean },
  ): Promise<Buffer> {
    try {
      await hold;
    } catch (cause) {
      return this.#refuse(head, cause, framing);
    }
    return this.#forward(head, prepared, { framing, close });
  }

  #prepare(head: RequestHead, framing: BodyFraming): Prepared {
    const { method, version, fields } = head;
    const request = readApiRequest(method, head.target);
    const subject = subjectOf(fields, this.grant.identity);
    const wanted = wishes(version, fields);
    if (wanted.upgrade !== undefined && !isEmpty(framing))
      throw PosternError.public('invalid_argument', 'a request that changes the protocol has no body');
    const clean = withoutIdentity(forwardedFields(fields, wanted));
    const command = remoteCommand(request);
    const narrowed = command ? narrowFramings(clean, wanted.upgrade) : { fields: clean, offered: [] };
    this.#sequence += 1;
    const exchange: Exchange = {
      sequence: this.#sequence,
      method,
      request,
      began: performance.now(),
      upgrade: wanted.upgrade,
      offered: narrowed.offered,
      command,
    };
    return { subject, request, fields: narrowed.fields, exchange };
  }

  /** Decided first, then recorded; the token is at hand before either has an effect. */
  #decide({ subject, request, exchange }: Prepared): Hold {
    const allowed = this.grant.check(askOf(subject, request));
    const token = this.line.tokens.current;
    if (allowed || token === undefined) return this.#decideSlowly(allowed, { subject, request, exchange });
    return this.line.requested(exchange, subject);
  }

  async #decideSlowly(allowed: Hold, { subject, exchange }: Omit<Prepared, 'fields'>): Promise<void> {
    await allowed;
    if (this.line.tokens.current === undefined) await this.line.tokens.refresh();
    await this.line.requested(exchange, subject);
  }

  #forward(
    head: RequestHead,
    { subject, fields, exchange }: Prepared,
    { framing, close }: { framing: BodyFraming; close: boolean },
  ): Buffer {
    const { user, groups } = subject;
    const signed = fields.with(
      { name: 'Authorization', value: `Bearer ${this.line.tokens.last}` },
      { name: 'Impersonate-User', value: user },
      ...groups.map((value) => ({ name: 'Impersonate-Group', value })),
    );
    this.#expect(framing, false, close);
    this.line.turns.begin(exchange);
    return encodeRequestHead({ method: head.method, target: head.target, version: '1.1', fields: signed });
  }

  /** Answers here, and lets the body go by. What breaks the protocol ends the connection instead. */
  #refuse(head: RequestHead, cause: unknown, framing: BodyFraming): Buffer {
    const { code, publicMessage } = PosternError.from(cause);
    if (!answered.has(code)) throw cause;
    // Who waits for leave to send its body does not send it now.
    const close = connectionOptions(head.version, head.fields).close || head.fields.has('expect');
    this.#expect(framing, true, close);
    this.streams.client.write(statusResponse(code, publicMessage, { close, head: head.method === 'HEAD' }));
    if (close) this.streams.upstream.end();
    return Buffer.alloc(0);
  }

  #expect(framing: BodyFraming, discarding: boolean, close: boolean): void {
    this.#body = new BodyTracker(framing);
    this.#discarding = discarding;
    this.#close = close;
  }
}

const isEmpty = (framing: BodyFraming): boolean =>
  framing.kind === 'none' || (framing.kind === 'length' && framing.length === 0);

/** A protocol that the API server has no use for is not passed on; no version of HTTP among them. */
function wishes(version: '1.0' | '1.1', fields: HeaderFields): ConnectionOptions {
  const { upgrade, close } = connectionOptions(version, fields);
  return { close, upgrade: upgrade !== undefined && /^(?:websocket|spdy\/3\.1)$/i.test(upgrade) ? upgrade : undefined };
}

/** Failures of one request, after which the connection is as good as before. */
const answered: ReadonlySet<string> = new Set([
  'access_denied',
  'mfa_required',
  'not_found',
  'limit_exceeded',
  'invalid_argument',
  'rate_limited',
  'invalid_config',
  'unavailable',
]);

const joined = (out: readonly Buffer[]): Buffer => (out.length === 1 && out[0] ? out[0] : Buffer.concat(out));

/** What is decided: the resource, or the path; nothing more where everybody who may enter may ask it. */
function askOf({ user, groups }: Subject, request: ApiRequest): KubernetesAsk {
  const who = { user, groups: [...groups] };
  if (request.kind === 'path') return request.open ? who : { ...who, path: request.path };
  if (isSelfReview(request)) return who;
  const { verb, resource, namespace } = request;
  return { ...who, verb, resource, namespace };
}

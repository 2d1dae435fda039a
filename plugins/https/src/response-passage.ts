import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import {
  BodyTracker,
  encodeResponseHead,
  HeadCollector,
  readResponseHead,
  responseFraming,
  type ResponseHead,
} from '@postern/plugin-sdk/http1';
import type { ClientGate } from './client-gate.js';
import { responseFields, trailerFields, type Places } from './forwarded-headers.js';
import { improper, NoResponse } from './no-response.js';
import type { Receiver, UpstreamConnection } from './upstream-connection.js';
import type { UpstreamConnections } from './upstream-connections.js';

const maxHeadBytes = 16_384;
/** Interim responses are not passed on; whoever sends more than these means no good. */
const maxInterim = 16;
const lastChunk = Buffer.from('0\r\n\r\n');

/** Fields behind a body and the empty line, without what may not stand there. */
function encodeTrailers(sent: string): Buffer {
  const raw = sent
    .split('\r\n')
    .slice(0, -2)
    .flatMap((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]);
  const lines = trailerFields(raw).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`${lines.join('')}\r\n`, 'latin1');
}

/** How a response ended. */
export interface Answered {
  readonly status: number;
  readonly type: string | undefined;
  /** False where somebody went away in its middle. */
  readonly complete: boolean;
}

/** An application that agreed to change the protocol: what it said, and what came behind. */
export interface Agreed {
  readonly head: ResponseHead;
  readonly rest: Buffer;
  readonly stream: Duplex;
}

export interface PassageOptions {
  readonly gate: ClientGate;
  readonly connections: UpstreamConnections;
  readonly connection: UpstreamConnection;
  readonly places: Places;
  readonly method: string;
  /** The client's connection ends behind the response. */
  readonly close: boolean;
  /** A change of the protocol was asked for. */
  readonly upgrade?: boolean;
}

/**
 * One response on its way from the application to a client of HTTP/1.1: its
 * head is read strictly and written anew, its body goes on as it comes, and is
 * followed so far as to know where it ends.
 */
export class ResponsePassage implements Receiver {
  /** Resolves when the response is over. Rejects where none had begun. */
  readonly over: Promise<Answered | Agreed>;
  #settle!: { resolve(answered: Answered | Agreed): void; reject(cause: unknown): void };
  readonly #collector = new HeadCollector(maxHeadBytes);
  #interim = 0;
  #heard = false;
  #head: ResponseHead | undefined;
  #body: BodyTracker | undefined;
  /** A body that only the end of the connection ends: the client is sent chunks instead. */
  #chunked = false;
  /** Fields behind the body, as they were sent. */
  #trailers = '';
  #keep = false;
  /** What the client has not been sent yet. */
  #out: Buffer[] = [];
  #said = false;
  #settled = false;

  constructor(private readonly options: PassageOptions) {
    this.over = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    options.connection.receive(this);
  }

  /** True once the application has begun to answer. */
  get begun(): boolean {
    return this.#head !== undefined;
  }

  data(chunk: Buffer): void {
    this.#heard = true;
    try {
      let at = 0;
      while (at < chunk.length && !this.#settled && this.#body?.done !== true)
        at = this.#body ? this.#inBody(this.#body, chunk, at) : this.#inHead(chunk, at);
      if (this.#settled) return;
      // Bytes behind a response answer a request that nobody has sent.
      if (at < chunk.length) this.#keep = false;
      if (this.#body?.done === true) this.#finish();
      else this.#flush();
    } catch (cause) {
      this.fail(improper(cause));
    }
  }

  end(): void {
    if (this.#body?.mayEnd === true) return this.#finish();
    this.#broken(new Error('the connection was closed'));
  }

  closed(): void {
    this.#broken(this.options.connection.stream.errored ?? new Error('the connection was closed'));
  }

  /** Gives up. A client that has read a part must see that it is one. */
  fail(cause: unknown): void {
    this.#fail(cause, false);
  }

  /** Silence is no sign of a stale connection: somebody may be at work on the request. */
  #broken(cause: unknown): void {
    this.#fail(cause, this.options.connection.used && !this.#heard);
  }

  #fail(cause: unknown, stale: boolean): void {
    if (this.#settled) return;
    this.#settled = true;
    const { connection, gate } = this.options;
    connection.stream.destroy();
    if (!this.#head || !this.#said) return this.#settle.reject(new NoResponse(cause, stale));
    gate.end();
    this.#settle.resolve(this.#answered(this.#head, false));
  }

  #inHead(chunk: Buffer, at: number): number {
    const found = this.#collector.take(chunk, at);
    if (!found) return chunk.length;
    const head = readResponseHead(found.head);
    if (head.status === 101 && this.options.upgrade === true) this.#switch(head, chunk.subarray(found.end));
    else if (head.status < 200) this.#countInterim(head.status);
    else this.#begin(head);
    return found.end;
  }

  #countInterim(status: number): void {
    if (status === 101) throw new Error('the application changes the protocol, for which nobody has asked');
    if ((this.#interim += 1) > maxInterim) throw new Error('the application sends interim responses without end');
  }

  #switch(head: ResponseHead, rest: Buffer): void {
    this.#settled = true;
    const stream = this.options.connection.detach();
    this.#settle.resolve({ head, rest: Buffer.from(rest), stream });
  }

  #begin(head: ResponseHead): void {
    const { method, close, places } = this.options;
    const { status, reason, version } = head;
    if (status > 599) throw new Error(`the application answers with the status ${status}`);
    const framing = responseFraming(head, method);
    const connection = head.fields.tokens('connection');
    this.#keep =
      framing.kind !== 'close' &&
      !connection.includes('close') &&
      (version === '1.1' || connection.includes('keep-alive'));
    this.#chunked = framing.kind === 'close';
    this.#body = new BodyTracker(framing, { trailers: 'apart' });
    const fields = responseFields(head.fields, places)
      .without((name) => name === 'content-length' && (status === 204 || framing.kind === 'chunked'))
      .with(
        ...(framing.kind === 'chunked' || this.#chunked ? [{ name: 'Transfer-Encoding', value: 'chunked' }] : []),
        ...(close ? [{ name: 'Connection', value: 'close' }] : []),
      );
    const said = reason === '' ? (STATUS_CODES[status] ?? '') : reason;
    this.#head = head;
    this.#out.push(encodeResponseHead({ version: '1.1', status, reason: said, fields }));
  }

  #inBody(body: BodyTracker, chunk: Buffer, at: number): number {
    if (body.trailing) return this.#inTrailers(body, chunk, at);
    const end = body.take(chunk, at);
    if (this.#chunked) this.#out.push(Buffer.from(`${(end - at).toString(16)}\r\n`));
    this.#out.push(at === 0 && end === chunk.length ? chunk : chunk.subarray(at, end));
    if (this.#chunked) this.#out.push(Buffer.from('\r\n'));
    return end;
  }

  /** The tracker has set a limit to them. */
  #inTrailers(body: BodyTracker, chunk: Buffer, at: number): number {
    const end = body.take(chunk, at);
    this.#trailers += chunk.toString('latin1', at, end);
    if (body.done) this.#out.push(encodeTrailers(this.#trailers));
    return end;
  }

  /** A head alone is something to know: events may be long in coming. */
  #flush(): void {
    const [first, ...more] = this.#out;
    if (!first) return;
    this.#out = [];
    this.#said = true;
    const { gate, connection } = this.options;
    if (gate.write(more.length === 0 ? first : Buffer.concat([first, ...more]))) return;
    connection.stream.pause();
    gate.drained(() => connection.stream.resume());
  }

  #finish(): void {
    if (!this.#head) return;
    if (this.#chunked) this.#out.push(lastChunk);
    this.#flush();
    this.#settled = true;
    const { connection, connections } = this.options;
    if (this.#keep) connections.release(connection);
    else connection.stream.destroy();
    this.#settle.resolve(this.#answered(this.#head, true));
  }

  #answered({ status, fields }: ResponseHead, complete: boolean): Answered {
    return { status, type: fields.get('content-type'), complete };
  }
}

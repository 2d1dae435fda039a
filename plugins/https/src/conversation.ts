import { PosternError, type Denial } from '@postern/plugin-sdk';
import { Admission, type AdmissionOptions, type Admitted } from './admission.js';
import { BareExchange } from './bare-exchange.js';
import type { BodySink, ClientGate, GateHandler } from './client-gate.js';
import type { ClientRequest } from './client-request.js';
import type { Places } from './forwarded-headers.js';
import type { Completion } from './journal.js';
import { encodeRefusal, refusalOf } from './refusal.js';
import type { Answered } from './response-passage.js';
import { ServedByNode, type Ended } from './served-by-node.js';
import { UpstreamConnections } from './upstream-connections.js';
import { connectTarget, hostOf } from './upstream.js';
import { WebSocketPassage } from './web-socket.js';

export interface ConversationOptions extends AdmissionOptions {
  readonly gate: ClientGate;
}

/** All requests of one connection. */
export class Conversation implements GateHandler, AsyncDisposable {
  readonly #connections: UpstreamConnections;
  readonly #places: Places;
  readonly #responseMs: number;
  readonly #exchange: BareExchange;
  readonly #admission: Admission;
  /** For requests that not every connection has. */
  #node: ServedByNode | undefined;
  #passage: WebSocketPassage | undefined;
  /** The request that is being answered. */
  #serving: Promise<void> = Promise.resolve();

  constructor(private readonly options: ConversationOptions) {
    const { context, grant, gate } = options;
    const { config, signal } = context;
    const { spec } = context.resource;
    const timeoutMs = config.connect_timeout_seconds * 1000;
    this.#connections = new UpstreamConnections(() => connectTarget({ spec, grant, timeoutMs, signal }));
    this.#places = {
      hosts: [hostOf(spec), `${spec.host}:${spec.port}`, spec.host].map((name) => name.toLowerCase()),
      prefix: spec.path_prefix,
    };
    this.#responseMs = config.response_timeout_seconds * 1000;
    this.#admission = new Admission(options);
    const { responseMs, places, connections } = this.#way;
    this.#exchange = new BareExchange({ gate, connections, places, responseMs });
  }

  get #way() {
    return { connections: this.#connections, places: this.#places, responseMs: this.#responseMs };
  }

  /** Resolves when the connection is over; rejects with what was wrong with it. */
  async run(): Promise<void> {
    const { gate } = this.options;
    gate.start(this);
    try {
      await gate.over;
    } finally {
      this.#connections.destroy();
      this.#node?.close();
      await this.#serving;
    }
  }

  onRequest(request: ClientRequest): BodySink | undefined {
    if (request.head.version === '1.1' && request.bare) {
      this.#serving = this.#serve(request);
      return undefined;
    }
    this.#node ??= new ServedByNode({
      ...this.#way,
      gate: this.options.gate,
      admit: (wanted) => this.#admission.admit(wanted),
      refused: (cause) => this.#noteRefusal(cause),
      ended: (admitted, ended) => this.#ended(admitted, ended),
    });
    return this.#node.serve(request);
  }

  onWebSocket(request: ClientRequest, ahead: Buffer): void {
    const { gate } = this.options;
    // Whoever waits for the gate learns it from there.
    this.#serving = this.#tunnel(request, ahead).then(
      () => gate.end(),
      (cause: unknown) => gate.fail(cause),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#connections.destroy();
    this.#node?.close();
    this.options.gate.silence();
  }

  async #serve(wanted: ClientRequest): Promise<void> {
    const { gate } = this.options;
    let admitted: Admitted | undefined;
    let answered: Answered | undefined;
    try {
      admitted = await this.#admission.admit(wanted);
      if (!gate.ended) answered = await this.#answer(wanted, admitted);
    } catch (cause) {
      this.#refuse(wanted, cause);
    }
    if (admitted) await this.#ended(admitted, answered ?? { complete: false });
    if (wanted.close) return gate.end();
    // Whoever asks and does not read would have every answer lie here.
    const taken = gate.taken();
    if (taken) await taken;
    gate.answered();
  }

  async #answer({ head, framing, close }: ClientRequest, { path, fields }: Admitted): Promise<Answered> {
    const length = framing.kind === 'length' ? fields.with({ name: 'Content-Length', value: '0' }) : fields;
    const answered = await this.#exchange.run({ method: head.method, path, fields: length, close });
    if ('rest' in answered) throw new PosternError('internal', 'a protocol was changed for which nobody asked');
    return answered;
  }

  #refuse({ head, close }: ClientRequest, cause: unknown): void {
    const { gate, context } = this.options;
    // Of a session that is being cut the last word is that of the denial.
    if (context.signal.aborted || gate.ended) return;
    const error = this.#noteRefusal(cause);
    gate.write(encodeRefusal(refusalOf(error, head.fields.get('accept')), head.method, close));
  }

  #noteRefusal(cause: unknown): PosternError {
    const error = PosternError.from(cause);
    this.options.context.log.debug('a request was refused', { cause: error.message });
    return error;
  }

  async #ended({ sequence, began }: Admitted, ended: Ended): Promise<void> {
    const { gate, client } = this.options;
    await this.#complete({
      connection: client.connection,
      sequence,
      ...(ended.status !== undefined && { status: ended.status }),
      bytesIn: gate.bytesIn,
      bytesOut: gate.bytesOut,
      durationMs: Math.round(performance.now() - began),
      ...(ended.type !== undefined && { type: ended.type.slice(0, 128) }),
      complete: ended.complete,
    });
  }

  async #complete(completion: Completion): Promise<void> {
    const { journal, context } = this.options;
    try {
      const hold = journal.completed(completion);
      if (hold) await hold;
    } catch (cause) {
      context.log.warn('a recording has a gap', { cause: PosternError.from(cause).message });
    }
  }

  async #tunnel(wanted: ClientRequest, ahead: Buffer): Promise<void> {
    const { context, client } = this.options;
    const { path, fields, sequence, began } = await this.#admission.admit(wanted);
    const { connections, places } = this.#way;
    const passage = new WebSocketPassage({
      exchange: this.#exchange,
      connections,
      places,
      client: client.stream,
      head: wanted.head,
      ahead,
      path,
      fields,
      signal: context.signal,
    });
    this.#passage = passage;
    let complete = false;
    try {
      complete = await passage.run();
    } finally {
      const { bytesIn, bytesOut, status } = passage;
      const durationMs = Math.round(performance.now() - began);
      const known = { connection: client.connection, sequence, bytesIn, bytesOut, durationMs, complete };
      await this.#complete({ ...known, ...(status !== undefined && { status }) });
    }
  }

  /** The words of a denial in the middle of it, where there is a place for them. */
  async farewell(denial: Denial): Promise<boolean> {
    if (!this.#passage || this.#passage.state === 'asking') return false;
    await this.#passage.farewell(denial);
    return true;
  }
}

import http, { type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { finished } from 'node:stream/promises';
import { PosternError, relay, write, type Denial } from '@postern/plugin-sdk';
import { encodeResponseHead, type HeaderFields, type RequestHead } from '@postern/plugin-sdk/http1';
import { headerRecord, responseFields } from './forwarded-headers.js';
import { unanswered } from './forwarder.js';
import type { TargetAgent } from './target-agent.js';
import { acceptKey, closeFrame, FrameTracker } from './wire.js';

export interface WebSocketOptions {
  readonly agent: TargetAgent;
  readonly client: Duplex;
  readonly head: RequestHead;
  /** What the client has sent behind its handshake. */
  readonly ahead: Buffer;
  readonly path: string;
  readonly fields: HeaderFields;
  readonly responseMs: number;
  readonly signal: AbortSignal;
}

/** An application's answer to a handshake. */
type Answer =
  | { readonly kind: 'agreed'; readonly incoming: IncomingMessage; readonly socket: Duplex; readonly head: Buffer }
  | { readonly kind: 'declined'; readonly incoming: IncomingMessage };

/**
 * One WebSocket, from its handshake on. Not by http-proxy, whose answers to a
 * refused handshake are framed wrongly: bytes are relayed as they come.
 */
export class WebSocketPassage {
  readonly #tracker = new FrameTracker();
  /** What has been said to the client: nothing yet, the application's response, or the agreement. */
  state: 'asking' | 'declined' | 'open' = 'asking';
  status: number | undefined;
  bytesIn = 0;
  bytesOut = 0;

  constructor(private readonly options: WebSocketOptions) {}

  /** Resolves when both sides have ended. Rejects where the application did not answer. */
  async run(): Promise<void> {
    const answer = await this.#ask();
    this.status = answer.incoming.statusCode;
    if (answer.kind === 'declined') return this.#decline(answer.incoming);
    const { client, signal, ahead } = this.options;
    const { socket, head, incoming } = answer;
    try {
      if (signal.aborted) throw new PosternError('aborted', 'the session is over');
      this.#assureAgreed(incoming);
      this.state = 'open';
      await write(client, this.#agreement(incoming));
      await relay(client, socket, {
        fromClient: (chunk) => void (this.bytesIn += chunk.length),
        fromUpstream: (chunk) => {
          this.bytesOut += chunk.length;
          this.#tracker.take(chunk);
        },
        head: { client: ahead, upstream: head },
        signal,
      });
    } finally {
      socket.destroy();
    }
  }

  /** Says goodbye where a frame of ours can stand. */
  async farewell({ message }: Denial): Promise<void> {
    if (this.state === 'open' && this.#tracker.between) await write(this.options.client, closeFrame(1008, message));
  }

  #ask(): Promise<Answer> {
    const { agent, head, path, fields, responseMs, client, signal } = this.options;
    return new Promise((resolve, reject) => {
      const request = http.request({
        agent,
        host: 'application',
        method: head.method,
        path,
        setHost: false,
        headers: { ...headerRecord(fields), connection: 'Upgrade', upgrade: 'websocket' },
      });
      const stop = (): void => void request.destroy();
      const timer = setTimeout(stop, responseMs).unref();
      client.once('close', stop);
      signal.addEventListener('abort', stop, { once: true });
      const answered = (): void => {
        clearTimeout(timer);
        client.off('close', stop);
        signal.removeEventListener('abort', stop);
      };
      request.on('close', answered).on('error', (cause) => reject(unanswered(cause)));
      request.once('upgrade', (incoming, socket, first) => {
        answered();
        resolve({ kind: 'agreed', incoming, socket, head: first });
      });
      request.once('response', (incoming) => {
        answered();
        resolve({ kind: 'declined', incoming });
      });
      request.end();
    });
  }

  /** An application that agrees to something else would have us relay what nobody has looked at. */
  #assureAgreed(incoming: IncomingMessage): void {
    const { fields } = this.options.head;
    const key = fields.all('sec-websocket-key')[0] ?? '';
    const { upgrade, 'sec-websocket-accept': accepted } = incoming.headers;
    if (incoming.statusCode === 101 && upgrade?.toLowerCase() === 'websocket' && accepted === acceptKey(key)) return;
    throw new PosternError('upstream_unreachable', 'the application agreed to something else than a WebSocket', {
      publicMessage: 'the application answers no proper handshake',
    });
  }

  #agreement(incoming: IncomingMessage): Buffer {
    const fields = responseFields(incoming.rawHeaders)
      .without((name) => name === 'content-length')
      .with({ name: 'Connection', value: 'Upgrade' }, { name: 'Upgrade', value: 'websocket' });
    return encodeResponseHead({ version: '1.1', status: 101, reason: 'Switching Protocols', fields });
  }

  /** The application's own refusal, behind which the connection ends: that is also where its body does. */
  async #decline(incoming: IncomingMessage): Promise<void> {
    const { client } = this.options;
    const status = incoming.statusCode ?? 502;
    incoming.on('error', () => {});
    const fields = responseFields(incoming.rawHeaders)
      .without((name) => name === 'content-length')
      .with({ name: 'Connection', value: 'close' });
    this.state = 'declined';
    await write(
      client,
      encodeResponseHead({ version: '1.1', status, reason: http.STATUS_CODES[status] ?? '', fields }),
    );
    incoming.pipe(client, { end: false });
    await finished(incoming).catch(() => client.destroy());
  }
}

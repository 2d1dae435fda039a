import type { Duplex } from 'node:stream';
import { PosternError, relay, write, type Denial } from '@postern/plugin-sdk';
import { encodeResponseHead, type HeaderFields, type RequestHead, type ResponseHead } from '@postern/plugin-sdk/http1';
import type { BareExchange } from './bare-exchange.js';
import { responseFields, type Places } from './forwarded-headers.js';
import { improper } from './no-response.js';
import type { Agreed } from './response-passage.js';
import type { UpstreamConnections } from './upstream-connections.js';
import { acceptKey, closeFrame, FrameTracker } from './wire.js';

export interface WebSocketOptions {
  readonly exchange: BareExchange;
  readonly connections: UpstreamConnections;
  readonly client: Duplex;
  readonly head: RequestHead;
  /** What the client has sent behind its handshake. */
  readonly ahead: Buffer;
  readonly path: string;
  readonly fields: HeaderFields;
  readonly places: Places;
  readonly signal: AbortSignal;
}

/** One WebSocket, from its handshake on: bytes are relayed as they come. */
export class WebSocketPassage {
  readonly #tracker = new FrameTracker();
  /** What has been said to the client: nothing yet, the application's own response, or the agreement. */
  state: 'asking' | 'declined' | 'open' = 'asking';
  status: number | undefined;
  bytesIn = 0;
  bytesOut = 0;

  constructor(private readonly options: WebSocketOptions) {}

  /** Resolves with whether both sides have ended properly. Rejects where the application did not answer. */
  async run(): Promise<boolean> {
    const { exchange, connections, client, path, head } = this.options;
    // Nobody reads the client meanwhile; where it breaks, the application need not answer any more.
    const gone = (): void => connections.destroy();
    client.once('close', gone);
    try {
      const answer = await exchange.run({
        method: head.method,
        path,
        fields: this.#handshake(),
        close: true,
        upgrade: true,
      });
      if ('rest' in answer) return await this.#open(answer);
      this.state = 'declined';
      this.status = answer.status;
      return answer.complete;
    } finally {
      client.off('close', gone);
    }
  }

  /** Says goodbye where a frame of ours can stand. */
  async farewell({ message }: Denial): Promise<void> {
    if (this.state === 'open' && this.#tracker.between) await write(this.options.client, closeFrame(1008, message));
  }

  #handshake(): HeaderFields {
    return this.options.fields.with({ name: 'Connection', value: 'Upgrade' }, { name: 'Upgrade', value: 'websocket' });
  }

  async #open({ head, rest, stream }: Agreed): Promise<boolean> {
    const { client, signal, ahead } = this.options;
    this.status = head.status;
    try {
      if (signal.aborted) throw new PosternError('aborted', 'the session is over');
      this.#assureAgreed(head);
      this.state = 'open';
      await write(client, this.#agreement(head));
      await relay(client, stream, {
        fromClient: (chunk) => void (this.bytesIn += chunk.length),
        fromUpstream: (chunk) => {
          this.bytesOut += chunk.length;
          this.#tracker.take(chunk);
        },
        head: { client: ahead, upstream: rest },
        signal,
      });
      return true;
    } finally {
      stream.destroy();
    }
  }

  /** An application that agrees to something else would have us relay what nobody has looked at. */
  #assureAgreed({ fields }: ResponseHead): void {
    const key = this.options.head.fields.get('sec-websocket-key') ?? '';
    const [upgrade, ...more] = fields.all('upgrade');
    const accepted = fields.all('sec-websocket-accept');
    if (more.length === 0 && upgrade?.toLowerCase() === 'websocket' && accepted.length === 1)
      if (accepted[0] === acceptKey(key)) return;
    throw improper('it agreed to something else than a WebSocket');
  }

  #agreement({ fields }: ResponseHead): Buffer {
    const agreed = responseFields(fields, this.options.places)
      .without((name) => name === 'content-length')
      .with({ name: 'Connection', value: 'Upgrade' }, { name: 'Upgrade', value: 'websocket' });
    return encodeResponseHead({ version: '1.1', status: 101, reason: 'Switching Protocols', fields: agreed });
  }
}

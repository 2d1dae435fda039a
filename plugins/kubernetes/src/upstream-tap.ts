import type { Duplex } from 'node:stream';
import { PosternError, type Hold, type Tapped } from '@postern/plugin-sdk';
import {
  BodyTracker,
  HeadCollector,
  readResponseHead,
  responseFraming,
  type ResponseHead,
} from '@postern/plugin-sdk/http1';
import { Conversation } from './conversation.js';
import type { Exchange } from './exchange.js';
import { both } from './journal.js';
import type { Line } from './line.js';
import { agreed } from './remote-command.js';

/** Follows what the API server answers. Responses go on as they came. */
export class UpstreamTap {
  readonly #collector = new HeadCollector(131_072);
  #body: BodyTracker | undefined;
  #chunkedList = false;

  constructor(
    private readonly line: Line,
    private readonly client: Duplex,
  ) {}

  readonly tap = (chunk: Buffer): Tapped | Promise<Tapped> => {
    const { conversation } = this.line;
    const hold = conversation ? conversation.fromServer(chunk) : this.#advance(chunk);
    return hold ? hold.then(() => chunk) : undefined;
  };

  /** True where nothing of a response is on its way, so that a whole one could be said. */
  get between(): boolean {
    return this.#collector.empty && !this.#body;
  }

  /** True within an endless list of events, between two pieces of it. */
  get inWatch(): boolean {
    return this.#chunkedList && this.#body?.betweenChunks === true;
  }

  #advance(chunk: Buffer, from = 0): Hold {
    let hold: Hold = undefined;
    for (let at = from; at < chunk.length;) {
      if (this.#body) {
        at = this.#body.take(chunk, at);
        if (this.#body.done) this.#finish();
        continue;
      }
      const found = this.#collector.take(chunk, at);
      if (!found) break;
      at = found.end;
      const { pending } = this.line.turns;
      if (!pending) throw broken('the api server answers what nobody has asked');
      const head = readResponseHead(found.head);
      if (head.status === 101) return both(hold, this.#switch(head, pending, chunk.subarray(at)));
      hold = both(hold, this.#begin(head, pending));
    }
    return hold;
  }

  #begin(head: ResponseHead, exchange: Exchange): Hold {
    // More than one may come before the answer itself.
    if (head.status < 200) return undefined;
    const hold = this.line.answered(exchange, head.status);
    this.line.turns.answering();
    this.#body = new BodyTracker(responseFraming(head, exchange.method), { trailers: true });
    this.#chunkedList = exchange.request.kind === 'resource' && exchange.request.verb === 'watch';
    if (this.#body.done) this.#finish();
    return hold;
  }

  #finish(): void {
    this.#body = undefined;
    this.#chunkedList = false;
    this.line.turns.finish();
  }

  async #switch(head: ResponseHead, exchange: Exchange, rest: Buffer): Promise<void> {
    const { upgrade, offered } = exchange;
    const chosen = head.fields.get('upgrade');
    if (upgrade === undefined || chosen?.toLowerCase() !== upgrade.toLowerCase())
      throw broken('the api server changes to a protocol that nobody asked for');
    const followed = offered.length > 0;
    if (followed && !agreed(head.fields, offered)) throw broken('the api server chose a framing that was not offered');
    const recording = followed ? await this.#record(exchange) : undefined;
    await this.line.answered(exchange, 101, upgrade);
    this.line.conversation = new Conversation(upgrade.toLowerCase(), followed, recording);
    if (rest.length > 0) await this.line.conversation.fromServer(rest);
    this.line.turns.switchOver();
  }

  async #record({ request, terminal, container, command, sequence }: Exchange) {
    const { record_exec: which } = this.line.context.config;
    if (which === 'none' || (which === 'terminals' && !terminal) || request.kind !== 'resource') return undefined;
    return this.line.context.record('terminal', {
      connection: this.line.connection,
      sequence,
      namespace: request.namespace,
      pod: request.name,
      ...(container !== '' && { container }),
      command: command.join(' '),
      columns: 80,
      rows: 24,
    });
  }
}

const broken = (message: string): PosternError =>
  new PosternError('upstream_unreachable', message, { publicMessage: 'the API server broke the protocol' });

import type { Duplex } from 'node:stream';
import { PosternError, type Hold, type Recording, type Tapped } from '@postern/plugin-sdk';
import {
  BodyTracker,
  HeadCollector,
  HttpRefusal,
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
    if (!conversation) return this.#answer(chunk);
    const hold = conversation.fromServer(chunk);
    return hold ? hold.then(() => chunk) : undefined;
  };

  #answer(chunk: Buffer): Tapped | Promise<Tapped> {
    // A head goes on when it is whole and was recorded; usually that is one chunk.
    const out: Buffer[] | undefined = this.#collector.empty ? undefined : [];
    try {
      const { hold, end } = this.#advance(chunk, out);
      const sound = out === undefined ? chunk.subarray(0, end) : Buffer.concat(out);
      return hold ? hold.then(() => sound) : sound;
    } catch (cause) {
      throw cause instanceof HttpRefusal ? broken(`the api server breaks the protocol: ${cause.message}`) : cause;
    }
  }

  /** True where nothing of a response is on its way, so that a whole one could be said. */
  get between(): boolean {
    return !this.#body;
  }

  /** True within an endless list of events, between two pieces of it. */
  get inWatch(): boolean {
    return this.#chunkedList && this.#body?.betweenChunks === true;
  }

  /** `end` is where the last head or body in the chunk ended; what is behind it is kept. */
  #advance(chunk: Buffer, out: Buffer[] | undefined): { readonly hold: Hold; readonly end: number } {
    let hold: Hold = undefined;
    let at = 0;
    while (at < chunk.length) {
      if (this.#body) {
        const end = this.#body.take(chunk, at);
        out?.push(chunk.subarray(at, end));
        at = end;
        if (this.#body.done) this.#finish();
        continue;
      }
      const found = this.#collector.take(chunk, at);
      if (!found) break;
      out?.push(found.head);
      at = found.end;
      const { pending } = this.line.turns;
      if (!pending) throw broken('the api server answers what nobody has asked');
      const head = readResponseHead(found.head);
      if (head.status === 101) {
        const rest = chunk.subarray(at);
        out?.push(rest);
        return { hold: both(hold, this.#switch(head, pending, rest)), end: chunk.length };
      }
      hold = both(hold, this.#begin(head, pending));
    }
    return { hold, end: at };
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

  async #record({ request, command, sequence }: Exchange): Promise<Recording | undefined> {
    const { record_exec: which } = this.line.context.config;
    if (which === 'none' || !command || request.kind !== 'resource') return undefined;
    if (which === 'terminals' && !command.terminal) return undefined;
    return this.line.context.record('terminal', {
      connection: this.line.connection,
      sequence,
      namespace: request.namespace,
      pod: request.name,
      ...(command.container !== '' && { container: command.container }),
      command: command.command.join(' '),
      columns: 80,
      rows: 24,
    });
  }
}

const broken = (message: string): PosternError =>
  new PosternError('upstream_unreachable', message, { publicMessage: 'the API server broke the protocol' });

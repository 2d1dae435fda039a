import { encodeRequestHead, type HeaderFields } from '@postern/plugin-sdk/http1';
import type { ClientGate } from './client-gate.js';
import type { Places } from './forwarded-headers.js';
import { late, NoResponse, unanswered } from './no-response.js';
import { ResponsePassage, type Agreed, type Answered } from './response-passage.js';
import type { UpstreamConnection } from './upstream-connection.js';
import type { UpstreamConnections, Wanted } from './upstream-connections.js';

/** Safe methods (RFC 9110, section 9.2.1). What changes something is not sent twice, even where that should be the same. */
const repeatable: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** A request that is its head alone, to be written as it stands here. */
export interface BareRequest {
  readonly method: string;
  readonly path: string;
  readonly fields: HeaderFields;
  /** The connection to the client ends behind the response. */
  readonly close: boolean;
  /** A change of the protocol is asked for. */
  readonly upgrade?: boolean;
}

export interface BareExchangeOptions {
  readonly gate: ClientGate;
  readonly connections: UpstreamConnections;
  readonly places: Places;
  /** How long the application may take to begin its answer once it has the request. */
  readonly responseMs: number;
}

/** Sends requests without a body, and passes on what is answered. */
export class BareExchange {
  constructor(private readonly options: BareExchangeOptions) {}

  /**
   * Resolves when the response is over, however it ended. Rejects where none
   * had begun, after a second attempt where nothing speaks against one.
   */
  async run(request: BareRequest): Promise<Answered | Agreed> {
    const repeats = repeatable.has(request.method);
    const wanted = request.upgrade === true ? 'new' : repeats ? 'any' : 'recent';
    try {
      return await this.#once(request, wanted);
    } catch (cause) {
      if (!repeats || !(cause instanceof NoResponse) || !cause.stale) throw unanswered(cause);
    }
    return this.#once(request, 'new').catch((cause: unknown) => {
      throw unanswered(cause);
    });
  }

  async #once(request: BareRequest, wanted: Wanted): Promise<Answered | Agreed> {
    const taken = this.options.connections.take(wanted);
    return this.#converse(request, taken instanceof Promise ? await taken : taken);
  }

  async #converse(request: BareRequest, connection: UpstreamConnection): Promise<Answered | Agreed> {
    const { gate, connections, places, responseMs } = this.options;
    const { method, path, fields, close, upgrade = false } = request;
    const passage = new ResponsePassage({ gate, connections, connection, places, method, close, upgrade });
    const timer = setTimeout(() => passage.begun || passage.fail(late()), responseMs).unref();
    connection.stream.write(encodeRequestHead({ method, target: path, version: '1.1', fields }));
    try {
      return await passage.over;
    } finally {
      clearTimeout(timer);
    }
  }
}

import { Abuse } from './abuse.js';
import type { Transport } from './transport.js';
import { WireReader } from './wire.js';

const maximumPending = 128;

/** What ssh2 may see. Everything else is answered with a failure, and above all no list of keys is parsed. */
const known: ReadonlySet<string> = new Set(['tcpip-forward', 'cancel-tcpip-forward', 'no-more-sessions@openssh.com']);

/**
 * The guard's rules for global requests. ssh2 answers them in order and keeps
 * all that come while a decision is awaited: here they are counted.
 */
export class GlobalRequestGuard {
  #pending = 0;

  constructor(transport: Transport) {
    const protocol = transport.inside._protocol;
    const success = protocol.requestSuccess.bind(protocol);
    const failure = protocol.requestFailure.bind(protocol);
    protocol.requestSuccess = (data) => {
      this.#pending -= 1;
      success(data);
    };
    protocol.requestFailure = () => {
      this.#pending -= 1;
      failure();
    };
  }

  /** `string name | boolean want reply | …` */
  pass(payload: Buffer, next: (payload: Buffer) => unknown): void {
    const reader = new WireReader(payload, 1);
    const name = reader.text();
    const wanted = reader.boolean();
    if (wanted) this.#pending += 1;
    if (this.#pending > maximumPending) throw new Abuse('too many unanswered requests');
    // An unknown name keeps its place in the order of answers, which dropping the message would not.
    if (!known.has(name)) payload.fill('x', 5, reader.offset - 1);
    next(payload);
  }
}

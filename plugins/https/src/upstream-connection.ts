import type { Duplex } from 'node:stream';

/** Who is told what comes of a connection while a request is on it. */
export interface Receiver {
  data(chunk: Buffer): void;
  /** The application has ended its half. */
  end(): void;
  closed(): void;
}

/** Node's own parser listens itself. */
const elsewhere: Receiver = { data() {}, end() {}, closed() {} };

/**
 * One connection to the application. Where nobody receives, an application that
 * ends its half, or speaks without having been asked, is asked no more.
 */
export class UpstreamConnection {
  /** A request was answered on it before. */
  used = false;
  /** When that was, in milliseconds. */
  idleSince = 0;
  #receiver: Receiver | undefined;

  constructor(readonly stream: Duplex) {
    stream.on('data', this.#onData).once('end', this.#onEnd).once('close', this.#onClose).resume();
    if (stream.readableEnded) stream.destroy();
  }

  /** Nothing can be asked any more. */
  get lost(): boolean {
    return this.stream.destroyed || !this.stream.writable;
  }

  /** Whoever is told from now on; nobody means that the connection is idle. */
  receive(receiver: Receiver | undefined): void {
    this.#receiver = receiver;
  }

  /** The bytes are another's, until `receive` is called again. */
  lend(): Duplex {
    this.#receiver = elsewhere;
    return this.stream;
  }

  /** The bytes are another's for good; they wait until he reads. */
  detach(): Duplex {
    this.stream.off('data', this.#onData).off('end', this.#onEnd).off('close', this.#onClose).pause();
    return this.stream;
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#receiver) this.#receiver.data(chunk);
    else this.stream.destroy();
  };

  readonly #onEnd = (): void => {
    if (this.#receiver) this.#receiver.end();
    else this.stream.destroy();
  };

  readonly #onClose = (): void => this.#receiver?.closed();
}

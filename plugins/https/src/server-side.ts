import { Duplex } from 'node:stream';
import type { ClientGate } from './client-gate.js';

type Done = (cause?: Error | null) => void;

/**
 * A client's connection as Node's HTTP server is shown it: it reads heads that
 * were written anew and bodies that have passed the gate, and what it writes
 * goes to the client.
 */
export class ServerSide extends Duplex {
  constructor(private readonly gate: ClientGate) {
    super({ allowHalfOpen: true });
    this.on('error', () => {});
  }

  override _read(): void {
    this.gate.flow();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.gate.write(chunk, done);
  }

  override _final(done: Done): void {
    done();
    this.gate.end();
  }

  override _destroy(cause: Error | null, done: Done): void {
    this.gate.end();
    done(cause);
  }
}

import type { Duplex } from 'node:stream';

/** What went through the connections of a session so far, both ways. */
export class Traffic {
  readonly #open = new Set<Duplex>();
  #closed = 0;

  get bytes(): number {
    let sum = this.#closed;
    for (const stream of this.#open) sum += bytesOf(stream);
    return sum;
  }

  add(stream: Duplex): void {
    this.#open.add(stream);
    stream.once('close', () => {
      this.#open.delete(stream);
      this.#closed += bytesOf(stream);
    });
  }
}

function bytesOf(stream: Duplex): number {
  const { bytesRead = 0, bytesWritten = 0 } = stream as { bytesRead?: number; bytesWritten?: number };
  return bytesRead + bytesWritten;
}

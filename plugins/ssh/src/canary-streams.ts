import { Duplex } from 'node:stream';

class Half extends Duplex {
  peer: Half | undefined;

  override _read(): void {}

  override _write(data: Buffer, _: string, done: () => void): void {
    setImmediate(() => {
      this.peer?.push(data);
      done();
    });
  }

  override _final(done: () => void): void {
    setImmediate(() => {
      this.peer?.push(null);
      done();
    });
  }
}

/**
 * Two ends of one connection in memory. Data arrives on a later turn, as from a
 * socket: ssh2's parser must not be entered while it runs.
 */
export function canaryStreams(): readonly [Duplex, Duplex] {
  const one = new Half();
  const other = new Half();
  one.peer = other;
  other.peer = one;
  return [one, other];
}

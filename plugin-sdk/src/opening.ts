/** The first bytes of a connection at the public port, before anybody is trusted. */
export interface Opening {
  /** Exactly `count` bytes. Rejects at the end of the stream, at the deadline, and past the limit of 64 kB. */
  read(count: number): Promise<Buffer>;
  /** Everything received so far and not yet read, without consuming it. */
  peek(): Buffer;
  write(data: Buffer): Promise<void>;
}

/**
 * What the kernel does with a connection after a plugin's proxy half has talked
 * to it.
 *
 * - `tls`: a ClientHello must follow. Bytes that arrived before the plugin
 *   answered are an injection and close the connection (CVE-2021-23222).
 * - `signal`: `payload` goes to the session that serves `connection`, if there
 *   is one; then the connection is closed.
 * - `closed`: the client was told why it cannot go on; the connection is closed, and that is recorded.
 */
export type Onward =
  | { readonly kind: 'tls' }
  | { readonly kind: 'signal'; readonly connection: number; readonly payload: Buffer }
  | { readonly kind: 'closed' };

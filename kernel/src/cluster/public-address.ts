import type { Configuration } from '../configuration/index.js';

/** What clients connect to: as configured, else where the port listens, once that is known. */
export class PublicAddress {
  #port: number;

  constructor(private readonly proxy: Configuration['proxy']) {
    this.#port = (proxy.public_address ?? proxy.listen).port;
  }

  /** Called with the actual port, which the configuration may have left to the system. */
  listening(port: number): void {
    if (!this.proxy.public_address) this.#port = port;
  }

  /** `host:port`. A port that listens on every address, or on this machine alone, is reached as `localhost`. */
  get text(): string {
    const { host } = this.proxy.public_address ?? this.proxy.listen;
    return `${['0.0.0.0', '127.0.0.1', '::', '::1'].includes(host) ? 'localhost' : host}:${this.#port}`;
  }
}

import { once } from 'node:events';
import https from 'node:https';
import type { AddressInfo } from 'node:net';

/** A site on the web that somebody visits who is logged in elsewhere: an empty page, in which tests do what it would do. */
export class OtherSite implements AsyncDisposable {
  private constructor(
    readonly origin: string,
    private readonly server: https.Server,
  ) {}

  /** `certificate` and `key`: PEM, for the name. */
  static async start(name: string, tls: { readonly certificate: string; readonly key: string }): Promise<OtherSite> {
    const server = https.createServer({ cert: tls.certificate, key: tls.key }, (request, response) => {
      request.resume();
      response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>another site</title>');
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return new OtherSite(`https://${name}:${(server.address() as AddressInfo).port}`, server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.server, 'close');
    this.server.close();
    this.server.closeAllConnections();
    await closed;
  }
}

import type { ClientRequest } from 'node:http';
import type { Duplex } from 'node:stream';
import type { UpstreamConnections } from './upstream-connections.js';

/** In the place of an agent, for one request of http-proxy's; what Node asks of one is documented only by use. */
export interface ProxyAgent {
  readonly keepAlive: true;
  readonly protocol: 'http:';
  readonly defaultPort: number;
  addRequest(upstream: ClientRequest): void;
}

/** Called once for each request to the application, before any of it is written. */
export type Prepare = (upstream: ClientRequest) => void;

/** Shows a request to `prepare` and gives it one of the connections, which it gives back by `free`. */
export function proxyAgent(connections: UpstreamConnections, prepare: Prepare): ProxyAgent {
  const addRequest = (upstream: ClientRequest): void => {
    prepare(upstream);
    const into = upstream as unknown as { onSocket(stream: Duplex | null, cause?: unknown): void };
    lend(connections).then(
      (stream) => into.onSocket(stream),
      (cause: unknown) => into.onSocket(null, cause),
    );
  };
  return { keepAlive: true, protocol: 'http:', defaultPort: 80, addRequest };
}

async function lend(connections: UpstreamConnections): Promise<Duplex> {
  const connection = await connections.take('recent');
  const stream = connection.lend();
  stream.once('free', () => {
    // What Node leaves on it would keep the request in memory.
    Reflect.set(stream, '_httpMessage', null);
    connections.release(connection);
  });
  return stream;
}

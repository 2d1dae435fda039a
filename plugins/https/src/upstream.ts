import net from 'node:net';
import type { Duplex } from 'node:stream';
import type tls from 'node:tls';
import { encryptUpstream, probeTlsOptions, withinLogin, type Grant, type UpstreamSpec } from '@postern/plugin-sdk';
import type { Https, HttpsSpec } from './protocol.js';

/** What the other side is called in messages. */
const whom = 'the application';

export interface ConnectOptions {
  readonly spec: HttpsSpec;
  readonly grant: Pick<Grant<Https>, 'dial'>;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** A connection to the application, encrypted where its resource says so. Rejects with `upstream_unreachable`. */
export function connectTarget({ spec, grant, timeoutMs, signal }: ConnectOptions): Promise<Duplex> {
  return withinLogin({ dial: () => grant.dial(), timeoutMs, signal, whom }, (socket) => encrypted(socket, spec));
}

/** Begins TLS where the resource says so; there is nobody to log in as, and therefore no credential to show. */
export async function encrypted(socket: Duplex, spec: HttpsSpec): Promise<Duplex> {
  const options = tlsOptions(spec);
  return options ? encryptUpstream(socket, options, whom) : socket;
}

function tlsOptions({ host, tls: { ca = 'system', ...more } }: HttpsSpec): tls.ConnectionOptions | undefined {
  const wanted: UpstreamSpec = { host: host.replace(/^\[|\]$/g, ''), tls: { ca, ...more } };
  const options = probeTlsOptions(wanted);
  return options && { ...options, ALPNProtocols: ['http/1.1'] };
}

/** What the application is called by default. */
export function hostOf({ host, port, tls: { mode }, host_header }: HttpsSpec): string {
  if (host_header !== undefined) return host_header;
  const name = net.isIPv6(host) ? `[${host}]` : host;
  return port === (mode === 'disable' ? 80 : 443) ? name : `${name}:${port}`;
}

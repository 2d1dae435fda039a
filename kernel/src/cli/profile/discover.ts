import { get } from 'node:https';
import net from 'node:net';
import type tls from 'node:tls';
import { PosternError } from '@postern/plugin-sdk';
import { authorityPin, matchesPin } from '../../certificates/fingerprint.js';
import { clusterInfo } from '../../api/contract/cluster.js';
import { unreachable } from './unreachable.js';

/** A cluster whose host authorities have been proved to be the ones meant. */
export interface DiscoveredCluster {
  readonly name: string;
  /** PEM bundle. */
  readonly authorities: string;
}

const timeoutMs = 10_000;
const maxBytes = 256 * 1024;

/**
 * Asks a proxy which cluster it belongs to. Nothing is believed on first use:
 * the answer counts if the pin names one of its authorities, which is then the
 * only one kept, or, without a pin, if the proxy's own certificate is good for
 * its name by the system's roots.
 */
export async function discover(
  proxy: { readonly host: string; readonly port: number },
  pin: string | undefined,
): Promise<DiscoveredCluster> {
  const { body, authorized } = await fetchInfo(proxy);
  const info = clusterInfo.safeParse(parseJson(body));
  if (!info.success) throw PosternError.public('unavailable', `${proxy.host}:${proxy.port} is no Postern cluster`);
  const { name, authorities } = info.data;
  if (pin === undefined) {
    if (!authorized) throw untrusted(proxy, authorities);
    return { name, authorities: authorities.join('') };
  }
  const pinned = authorities.find((pem) => matchesPin([pin], pem));
  if (pinned === undefined)
    throw PosternError.public(
      'unauthenticated',
      'the cluster does not have the authority that --ca-pin names: this is another cluster, or somebody is in between',
    );
  return { name, authorities: pinned };
}

function untrusted(proxy: { readonly host: string }, authorities: readonly string[]): PosternError {
  const shown = authorities.map((pem) => authorityPin(pem)).join(' or ');
  return PosternError.public(
    'unauthenticated',
    `nothing proves that ${proxy.host} is the cluster you mean. Ask its administrator for the pin (it is printed at start) ` +
      `and use it as --ca-pin; it should read ${shown}`,
  );
}

function fetchInfo({ host, port }: { readonly host: string; readonly port: number }): Promise<{
  readonly body: string;
  readonly authorized: boolean;
}> {
  return new Promise((resolve, reject) => {
    const servername = net.isIP(host) === 0 ? host : '';
    const request = get(
      { host, port, servername, path: '/v1/cluster', rejectUnauthorized: false, agent: false, timeout: timeoutMs },
      (response) => {
        const { authorized } = response.socket as tls.TLSSocket;
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (text: string) => {
          body += text;
          if (body.length > maxBytes) request.destroy(new Error('it says too much'));
        });
        response.on('end', () => resolve({ body, authorized }));
      },
    );
    request.on('timeout', () => request.destroy(new Error(`no answer within ${timeoutMs / 1000} seconds`)));
    request.on('error', (cause) => reject(unreachable({ host, port }, cause)));
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

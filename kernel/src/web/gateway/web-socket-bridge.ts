import { PosternError, webAlpn, type AnyProtocol } from '@postern/plugin-sdk';
import { readCookie, sessionCookie } from '../pages/index.js';
import type { WebSessions } from '../sessions/index.js';
import { forwardUpgrade, type Upgrade } from './forward-upgrade.js';
import { refuseUpgrade, refuseUpgradeFor } from './plain-answer.js';
import { readResourcePath } from './resource-path.js';
import type { ResourceCaller } from './resource-caller.js';

export interface WebSocketBridgeOptions {
  readonly sessions: WebSessions;
  readonly caller: ResourceCaller;
  readonly protocols: ReadonlyMap<string, AnyProtocol>;
}

/** WebSockets at `/web/<kind>/<name>/…` of the cluster's own name, which lead to the session of the kind in an agent. */
export class WebSocketBridge {
  constructor(private readonly options: WebSocketBridgeOptions) {}

  /** Never rejects: what is not let through is told why. Resolves when it is over. */
  async take(upgrade: Upgrade, address: string): Promise<void> {
    const { request, socket } = upgrade;
    try {
      await this.#bridge(upgrade, address);
    } catch (cause) {
      refuseUpgradeFor(socket, PosternError.from(cause));
    }
    request.resume();
  }

  async #bridge(upgrade: Upgrade, address: string): Promise<void> {
    const { request, socket } = upgrade;
    const { sessions, caller, protocols } = this.options;
    const found = readResourcePath(request.url ?? '');
    const transport = found && protocols.get(found.kind)?.transport;
    if (!found || transport?.kind !== 'tls' || transport.web !== true)
      return refuseUpgrade(socket, 404, 'there is no such WebSocket');
    if (!isOwnWebSocket(upgrade)) return refuseUpgrade(socket, 403, 'this WebSocket is for pages of the cluster alone');
    const cookie = readCookie(request.headers.cookie, sessionCookie);
    const stillThere = async (): Promise<boolean> =>
      cookie !== undefined && (await sessions.session(cookie, address)) !== undefined;
    if (cookie === undefined || !(await stillThere())) return refuseUpgrade(socket, 401, 'you are not logged in');
    const { kind, name } = found;
    const stream = await caller.call({ cookie, resource: { kind, name }, address, alpn: webAlpn, stillThere });
    await forwardUpgrade(upgrade, stream, found.rest);
  }
}

/**
 * A WebSocket that a page of the same origin opens. Browsers send cookies with
 * WebSockets of every site, and no rule of same origin stops these: `Origin` is
 * all there is, and whoever does not say it is no browser.
 */
export function isOwnWebSocket({ request: { headers, method } }: Upgrade): boolean {
  const site = headers['sec-fetch-site'];
  return (
    method === 'GET' &&
    headers.upgrade?.toLowerCase() === 'websocket' &&
    headers.origin?.toLowerCase() === `https://${headers.host?.toLowerCase() ?? ''}` &&
    (site === undefined || site === 'same-origin')
  );
}

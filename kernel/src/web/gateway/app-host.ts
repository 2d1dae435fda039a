import { PosternError } from '@postern/plugin-sdk';
import { readCookie } from '../pages/index.js';
import type { ResourceName, WebSessions } from '../sessions/index.js';
import { appCookie, ownPath } from './app-cookies.js';
import type { AppDirectory } from './app-directory.js';
import { answer, answerError, AppEntrance, type AppVisit } from './app-entrance.js';
import { AppForwarder } from './app-forwarder.js';
import { foreignRequest } from './app-origin.js';
import type { BrowserConnection, BrowserHandler } from './browser-port.js';
import { forwardUpgrade, type Upgrade } from './forward-upgrade.js';
import { refuseUpgrade, refuseUpgradeFor } from './plain-answer.js';
import type { ResourceCall, ResourceCaller } from './resource-caller.js';
import { isOwnWebSocket } from './web-socket-bridge.js';

export interface AppHostOptions {
  readonly cluster: string;
  readonly sessions: WebSessions;
  readonly caller: ResourceCaller;
  readonly directory: AppDirectory;
}

/** What an application's agent is spoken to in. */
const alpn = 'http/1.1';

/** Serves the hosts of applications: each request of a browser that is logged in goes to the application's agent. */
export class AppHost implements BrowserHandler, Disposable {
  readonly #entrance: AppEntrance;
  readonly #forwarder: AppForwarder;

  constructor(private readonly options: AppHostOptions) {
    this.#entrance = new AppEntrance(options);
    this.#forwarder = new AppForwarder(options.caller);
  }

  readonly request: BrowserHandler['request'] = (request, response, { name, address }) => {
    const app = this.options.directory.find(name);
    if (!app) return answer(response, 404, 'There is no such application.');
    // Handled inside.
    void this.#serve({ request, response, app, address }).catch((cause: unknown) => answerError(response, cause));
  };

  readonly upgrade: BrowserHandler['upgrade'] = (upgrade, from) => {
    // Handled inside.
    void this.#upgrade(upgrade, from).catch((cause: unknown) =>
      refuseUpgradeFor(upgrade.socket, PosternError.from(cause)),
    );
  };

  [Symbol.dispose](): void {
    this.#forwarder[Symbol.dispose]();
  }

  async #serve(visit: AppVisit): Promise<void> {
    const { request, response, app, address } = visit;
    if (this.#entrance.isEnter(visit)) return this.#entrance.enter(visit);
    if (request.url?.startsWith(ownPath)) return answer(response, 404, 'There is no such page.');
    const foreign = foreignRequest(request);
    if (foreign !== undefined) return answer(response, 403, foreign);
    const call = this.#callOf(app, request.headers.cookie, address);
    if (!call || !(await call.stillThere())) return this.#entrance.begin(visit);
    await this.#forwarder.forward(visit, call);
  }

  async #upgrade(upgrade: Upgrade, { name, address }: BrowserConnection): Promise<void> {
    const { request, socket } = upgrade;
    const app = this.options.directory.find(name);
    if (!app) return refuseUpgrade(socket, 404, 'there is no such application');
    if (!isOwnWebSocket(upgrade)) return refuseUpgrade(socket, 403, 'this WebSocket is for pages of the application');
    const call = this.#callOf(app, request.headers.cookie, address);
    if (!call || !(await call.stillThere())) return refuseUpgrade(socket, 401, 'you are not logged in');
    await forwardUpgrade(upgrade, await this.options.caller.call(call), request.url ?? '/');
  }

  #callOf(resource: ResourceName, header: string | undefined, address: string): ResourceCall | undefined {
    const cookie = readCookie(header, appCookie);
    if (cookie === undefined) return undefined;
    const stillThere = async (): Promise<boolean> =>
      (await this.options.sessions.appSession(cookie, resource, address)) !== undefined;
    return { cookie, resource, address, alpn, stillThere };
  }
}

import { PosternError } from '@postern/plugin-sdk';
import { loginPath, readCookie, sessionCookie } from '../pages/index.js';
import type { WebSessions } from '../sessions/index.js';
import { enterPath, launchPath, localPath, portOf } from './app-cookies.js';
import type { AppDirectory } from './app-directory.js';
import { redirectTo } from './plugin-pages.js';

export interface LaunchPageOptions {
  readonly sessions: WebSessions;
  readonly directory: AppDirectory;
}

/** At the cluster's own name: sends somebody who is logged in to an application, with a code. */
export class LaunchPage {
  constructor(private readonly options: LaunchPageOptions) {}

  /** `undefined` for another path. Rejects with `not_found`, and as {@link WebSessions.appCode} does. */
  async fetch(request: Request, address: string): Promise<Response | undefined> {
    const { pathname, searchParams, search, host } = new URL(request.url);
    if (pathname !== launchPath || request.method !== 'GET') return undefined;
    const at = (searchParams.get('app') ?? '').toLowerCase();
    const app = this.options.directory.find(at);
    if (!app) throw PosternError.public('not_found', 'there is no such application');
    const origin = `https://${at}${portOf(host)}`;
    const nonce = searchParams.get('nonce');
    // A link of ours has none: the application's own host begins the login.
    if (nonce === null) return redirectTo(`${origin}/`);
    if (!/^[\w-]{43}$/.test(nonce))
      throw PosternError.public('invalid_argument', 'this is not a link of an application');
    const cookie = readCookie(request.headers.get('cookie'), sessionCookie);
    if (cookie === undefined || !(await this.options.sessions.session(cookie, address)))
      return redirectTo(loginPath(`${launchPath}${search}`));
    const code = await this.options.sessions.appCode({ cookie, app, nonce, address });
    const query = new URLSearchParams({ code, next: localPath(searchParams.get('next')) });
    return redirectTo(`${origin}${enterPath}?${query.toString()}`);
  }
}

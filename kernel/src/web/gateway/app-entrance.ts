import { createHash, randomBytes } from 'node:crypto';
import type http from 'node:http';
import { PosternError } from '@postern/plugin-sdk';
import { httpStatusOf } from '../../api/http-status.js';
import { forgetCookie, html, readCookie, setCookie } from '../pages/index.js';
import type { ResourceName, WebSessions } from '../sessions/index.js';
import { appCookie, enterPath, launchPath, localPath, nonceCookie, portOf } from './app-cookies.js';

export interface AppEntranceOptions {
  readonly cluster: string;
  readonly sessions: WebSessions;
}

/** What a browser asks at the host of an application. */
export interface AppVisit {
  readonly request: http.IncomingMessage;
  readonly response: http.ServerResponse;
  readonly app: ResourceName;
  readonly address: string;
}

/** How a browser comes in at the host of an application: over the cluster's own name, and back with a code. */
export class AppEntrance {
  constructor(private readonly options: AppEntranceOptions) {}

  /** Sends a browser to where it can log in. What is no navigation is told so instead. */
  begin({ request, response }: AppVisit): void {
    if (!isNavigation(request)) return answer(response, 401, 'You are not logged in. Open the application in a tab.');
    const host = request.headers.host ?? '';
    const known = readCookie(request.headers.cookie, nonceCookie) ?? '';
    // A login that is under way in another tab goes on.
    const nonce = /^[\w-]{43}$/.test(known) ? known : randomBytes(32).toString('base64url');
    const query = new URLSearchParams({
      app: host.replace(/:\d+$/, ''),
      nonce: hashOf(nonce),
      next: localPath(request.url),
    });
    response.setHeader('set-cookie', setCookie(nonceCookie, nonce));
    redirect(response, `https://${this.options.cluster}${portOf(host)}${launchPath}?${query.toString()}`);
  }

  /** Lets a browser in that comes back with a code. */
  async enter(visit: AppVisit): Promise<void> {
    const { request, response, app, address } = visit;
    const { searchParams } = new URL(request.url ?? '', 'https://here.invalid');
    const nonce = readCookie(request.headers.cookie, nonceCookie);
    const code = searchParams.get('code');
    if (request.method !== 'GET' || nonce === undefined || code === null)
      throw PosternError.public(
        'unauthenticated',
        'this login was begun in another browser or is over: open the application again',
      );
    const cookie = await this.options.sessions.redeem({ code, app, nonce: hashOf(nonce), address });
    response.setHeader('set-cookie', [setCookie(appCookie, cookie), forgetCookie(nonceCookie)]);
    redirect(response, localPath(searchParams.get('next')));
  }

  isEnter({ request }: AppVisit): boolean {
    return (request.url ?? '').split('?', 1)[0] === enterPath;
  }
}

const hashOf = (nonce: string): string => createHash('sha256').update(nonce).digest('base64url');

/** Old browsers do not say; then it is one that would show a page. */
function isNavigation({ method, headers }: http.IncomingMessage): boolean {
  const mode = headers['sec-fetch-mode'];
  if (method !== 'GET' && method !== 'HEAD') return false;
  return mode === undefined ? (headers.accept ?? '').includes('text/html') : mode === 'navigate';
}

const own = {
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
};

function redirect(response: http.ServerResponse, location: string): void {
  response.writeHead(303, { ...own, location }).end();
}

/** A page of one sentence. */
export function answer(response: http.ServerResponse, status: number, text: string): void {
  if (response.headersSent || response.destroyed) return void response.destroy();
  const { text: page } = html`<!doctype html>
    <html lang="en">
      <meta charset="utf-8" />
      <title>${text}</title>
      <p role="alert">${text}</p>
    </html> `;
  response.writeHead(status, { ...own, 'content-type': 'text/html; charset=utf-8', connection: 'close' }).end(page);
}

export function answerError(response: http.ServerResponse, cause: unknown): void {
  const { code, publicMessage } = PosternError.from(cause);
  answer(response, httpStatusOf(code), `${publicMessage.charAt(0).toUpperCase()}${publicMessage.slice(1)}.`);
}

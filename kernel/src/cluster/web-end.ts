import { Hono } from 'hono';
import type { Fetch, Transport } from '../api/http-listener.js';
import type { Readiness } from './readiness.js';

export interface WebEndOptions {
  /** The API, for callers without a certificate. */
  readonly api: Fetch;
  readonly readiness: Readiness;
  /** Whatever else is asked for: pages for people. */
  readonly pages: Fetch;
}

/** What programs ask for, and not people. */
const forPrograms = /^\/(v1\/|healthz$|readyz$|invite\/)/;

/**
 * What the proxy itself answers to browsers and to programs that do not know
 * the cluster yet. The logins of programs do not pass here: they go end to end
 * to the Auth Service. Those of browsers do.
 */
export function webEnd({ api, readiness, pages }: WebEndOptions): Fetch {
  const app = new Hono<{ Bindings: Transport }>();
  app.use(async (c, next) => {
    await next();
    c.header('content-security-policy', "default-src 'none'; frame-ancestors 'none'");
    c.header('x-content-type-options', 'nosniff');
    c.header('referrer-policy', 'no-referrer');
  });
  app.get('/v1/cluster', (c) => api(c.req.raw, c.env));
  app.get('/healthz', (c) => c.text('ok\n'));
  app.get('/readyz', (c) => c.text(readiness.text, readiness.ready ? 200 : 503));
  app.get('/invite/:token', (c) =>
    c.text('Somebody invites you to this cluster. Accept with:\n\n  psh accept <this address>\n'),
  );
  return (request, transport) =>
    forPrograms.test(new URL(request.url).pathname) ? app.fetch(request, transport) : pages(request, transport);
}

import { Hono } from 'hono';
import type { Fetch, Transport } from '../api/http-listener.js';
import type { Check } from '../api/handlers/cluster-handlers.js';

export interface WebEndOptions {
  /** The API, for callers without a certificate. */
  readonly api: Fetch;
  readonly checks: () => readonly Check[];
}

/**
 * What the proxy itself answers to browsers and to programs that do not know
 * the cluster yet. Nothing secret passes here: logins go end to end to the Auth
 * Service.
 */
export function webEnd({ api, checks }: WebEndOptions): Fetch {
  const app = new Hono<{ Bindings: Transport }>();
  app.use(async (c, next) => {
    await next();
    c.header('content-security-policy', "default-src 'none'; frame-ancestors 'none'");
    c.header('x-content-type-options', 'nosniff');
    c.header('referrer-policy', 'no-referrer');
  });
  app.get('/v1/cluster', (c) => api(c.req.raw, c.env));
  app.get('/healthz', (c) => c.text('ok\n'));
  app.get('/readyz', (c) => {
    const all = checks();
    const lines = all.map(({ name, ok, detail }) => `${ok ? 'ok' : 'failed'} ${name}: ${detail}\n`);
    return c.text(lines.join(''), all.every(({ ok }) => ok) ? 200 : 503);
  });
  app.get('/invite/:token', (c) =>
    c.text('Somebody invites you to this cluster. Accept with:\n\n  psh accept <this address>\n'),
  );
  app.get('/', (c) => c.text('This is a Postern cluster. Connect with:\n\n  psh login\n'));
  return (request, transport) => app.fetch(request, transport);
}

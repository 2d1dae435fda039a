import { z } from 'zod';
import { endpoint } from './endpoint.js';

const secret = z.string().min(1).max(128);
/** The browser's address, as the proxy sees it. */
const address = z.string().min(1).max(64);
const kind = z.string().min(1).max(64);
const name = z.string().min(1).max(256);

const webSession = z.object({
  id: z.string(),
  user: z.string(),
  roles: z.array(z.string()),
  expires: z.iso.datetime(),
});
const maybeSession = z.object({ session: webSession.optional() });

/** Everything about browsers is asked by proxies alone, which prove themselves by their own certificates. */
const declare = <I extends z.ZodObject, O extends z.ZodType>(
  path: string,
  summary: string,
  io: { input: I; output: O },
) => endpoint({ method: 'POST', path: `/v1/web/${path}`, summary, access: 'proxy', ...io });

export const beginWebSession = declare('login', 'Begins the session of a browser.', {
  input: z.object({
    user: z.string().min(1).max(64),
    password: z.string().min(1).max(1024),
    code: z.string().max(16).optional(),
    newPassword: z.string().min(1).max(1024).optional(),
    address,
  }),
  output: z.object({ cookie: z.string(), session: webSession }),
});

export const getWebSession = declare('session', 'Says whose a cookie is, if anybody’s.', {
  input: z.object({ cookie: secret, address }),
  output: maybeSession,
});

export const endWebSession = declare('logout', 'Ends the session of a browser.', {
  input: z.object({ cookie: secret, address }),
  output: z.object({}),
});

export const listWebResources = declare('resources', 'Lists what the user of a browser may reach.', {
  input: z.object({ cookie: secret, address }),
  output: z.array(
    z.object({
      kind: z.string(),
      name: z.string(),
      title: z.string(),
      labels: z.record(z.string(), z.string()),
      principals: z.array(z.string()),
      health: z.object({ ok: z.boolean(), detail: z.string() }).optional(),
    }),
  ),
});

export const certifyWebSession = declare(
  'certificate',
  'Certifies a key of the proxy, for a minute at most, for what a browser’s session may do at one resource from one address.',
  {
    input: z.object({ cookie: secret, kind, name, publicKey: z.string().max(4096), address }),
    output: z.object({ certificate: z.string(), expires: z.iso.datetime(), session: webSession }),
  },
);

export const createAppCode = declare(
  'code',
  'Makes a code that brings a session to the host of an application, once.',
  {
    input: z.object({ cookie: secret, kind, name, nonce: secret, address }),
    output: z.object({ code: z.string() }),
  },
);

export const redeemAppCode = declare('redeem', 'Gives the cookie of an application for a code.', {
  input: z.object({ code: secret, kind, name, nonce: secret, address }),
  output: z.object({ cookie: z.string() }),
});

export const getAppSession = declare('app-session', 'Says whose the cookie of an application is, if anybody’s.', {
  input: z.object({ cookie: secret, kind, name, address }),
  output: maybeSession,
});

export const followWebSessions = endpoint({
  method: 'GET',
  path: '/v1/web/ended',
  summary: 'Tells of each session of a browser that ends.',
  access: 'proxy',
  input: z.object({}),
  output: z.object({ session: z.string() }),
  delivery: 'stream',
});

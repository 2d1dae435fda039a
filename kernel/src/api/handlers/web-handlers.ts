import { EventEmitter, on } from 'node:events';
import type { WebSession, WebSessions } from '../../web/sessions/index.js';
import {
  beginWebSession,
  certifyWebSession,
  createAppCode,
  endWebSession,
  followWebSessions,
  getAppSession,
  getWebSession,
  listWebResources,
  redeemAppCode,
} from '../contract/index.js';
import { implement, type Handler } from '../handler.js';

/** What proxies ask about browsers. */
export function webHandlers(sessions: WebSessions): readonly Handler[] {
  return [
    implement(beginWebSession, async ({ address, ...login }) => {
      const { cookie, session } = await sessions.login(login, address);
      return { cookie, session: viewOf(session) };
    }),
    implement(getWebSession, async ({ cookie, address }) => maybe(await sessions.session(cookie, address))),
    implement(endWebSession, async ({ cookie, address }) => {
      await sessions.logout(cookie, address);
      return {};
    }),
    implement(listWebResources, async ({ cookie, address }) =>
      (await sessions.resources(cookie, address)).map(({ labels, principals, ...resource }) => ({
        ...resource,
        labels: { ...labels },
        principals: [...principals],
      })),
    ),
    implement(certifyWebSession, async ({ kind, name, ...request }) => {
      const { certificate, expires, session } = await sessions.certificate({ ...request, resource: { kind, name } });
      return { certificate, expires: expires.toISOString(), session: viewOf(session) };
    }),
    implement(createAppCode, async ({ kind, name, ...request }) => ({
      code: await sessions.appCode({ ...request, app: { kind, name } }),
    })),
    implement(redeemAppCode, async ({ kind, name, ...request }) => ({
      cookie: await sessions.redeem({ ...request, app: { kind, name } }),
    })),
    implement(getAppSession, async ({ cookie, kind, name, address }) =>
      maybe(await sessions.appSession(cookie, { kind, name }, address)),
    ),
    implement(followWebSessions, (_, { signal }) => ended(sessions, signal)),
  ];
}

async function* ended(sessions: WebSessions, signal: AbortSignal): AsyncGenerator<{ session: string }> {
  const heard = new EventEmitter();
  const off = sessions.onEnd((session) => heard.emit('ended', session));
  try {
    for await (const [session] of on(heard, 'ended', { signal })) yield { session: String(session) };
  } finally {
    off();
  }
}

const viewOf = ({ id, user, roles, expires }: WebSession) => ({
  id,
  user,
  roles: [...roles],
  expires: expires.toISOString(),
});

const maybe = (session: WebSession | undefined) => (session ? { session: viewOf(session) } : {});

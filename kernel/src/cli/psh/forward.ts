import type net from 'node:net';
import { pipeline } from 'node:stream/promises';
import { PosternError } from '@postern/plugin-sdk';
import type { Profile } from '../profile/profile.js';
import { listenLoopback, listenPrivately, type LocalListener } from './local-listener.js';
import { connectTarget } from './proxy-stdio.js';
import type { ProxyTarget } from './proxy-target.js';

/** Where to listen: a path for a unix socket, or a port, 0 for any. */
export type ForwardAt = { readonly socket: string } | { readonly port: number };

/**
 * Serves local connections of this user by connections to a target, until it is
 * disposed of. Rejects with `expired` where the user has to log in first.
 */
export async function openForward(
  target: ProxyTarget,
  { profile, hostname }: { readonly profile: Profile; readonly hostname: string },
  at: ForwardAt,
): Promise<LocalListener> {
  const { expires } = profile.data;
  if (new Date(expires) <= new Date())
    throw PosternError.public('expired', `your certificate expired at ${expires}; log in again: psh login`);
  const serve = (local: net.Socket): void => {
    local.on('error', () => {});
    connectTarget(target, profile, hostname)
      .then((remote) => Promise.all([pipeline(local, remote), pipeline(remote, local)]))
      .catch((cause: unknown) => {
        local.destroy();
        const { code, message } = cause as NodeJS.ErrnoException;
        // Either end may go at any time; only a refusal says something new.
        if (PosternError.is(cause)) process.stderr.write(`psh: ${message}\n`);
        else if (process.env['POSTERN_DEBUG'] === '1') process.stderr.write(`psh: ${code ?? ''} ${message}\n`);
      });
  };
  return 'socket' in at ? listenPrivately(at.socket, serve) : listenLoopback(at.port, serve);
}

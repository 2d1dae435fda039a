import { readFile } from 'node:fs/promises';
import { PosternError } from '@postern/plugin-sdk';
import { discover } from '../profile/discover.js';
import { Profile } from '../profile/profile.js';
import { proxyAddress } from '../profile/proxy-address.js';

export interface ChosenCluster {
  readonly name: string;
  readonly proxy: { readonly host: string; readonly port: number };
  /** PEM bundle that was proved to be the cluster's. */
  readonly authorities: string;
  /** Who was logged in there before. */
  readonly user: string | undefined;
}

/**
 * The cluster that a login is about. An earlier login there has left its
 * authorities in the profile, which are believed again; a new cluster must be
 * proved by a pin or by the system's roots.
 */
export async function chooseCluster(options: {
  readonly proxy?: string;
  readonly caPin?: string;
}): Promise<ChosenCluster> {
  const proxy = options.proxy === undefined ? undefined : proxyAddress(options.proxy);
  const known = await earlier(proxy);
  const wanted = proxy ?? known?.data.proxy;
  if (!wanted)
    throw PosternError.public('invalid_argument', 'which cluster? psh login --proxy=<host:port> [--ca-pin=<pin>]');
  const user = known?.data.user;
  if (known && options.caPin === undefined) {
    const authorities = await readFile(known.files.authority, 'utf8').catch(() => undefined);
    if (authorities !== undefined) return { name: known.data.cluster, proxy: wanted, authorities, user };
  }
  return { ...(await discover(wanted, options.caPin)), proxy: wanted, user };
}

async function earlier(proxy: ChosenCluster['proxy'] | undefined): Promise<Profile | undefined> {
  if (!proxy) return Profile.load().catch(() => undefined);
  return (await Profile.all()).find(({ data }) => data.proxy.host === proxy.host && data.proxy.port === proxy.port);
}

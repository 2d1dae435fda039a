import type { AnyProtocol } from '@postern/plugin-sdk';
import { PosternError } from '@postern/plugin-sdk';
import { routeName } from '../../tunnels/route.js';
import { Profile } from '../profile/profile.js';

export interface ProxyTarget {
  readonly kind: string;
  /** A resource's name, or the full name that routes to it. */
  readonly name: string;
  readonly transport: AnyProtocol['transport'] | undefined;
}

/** The profile and the full name that a target means. A full name decides which cluster it is. */
export async function locate(
  { kind, name, transport }: ProxyTarget,
  cluster: string | undefined,
): Promise<{ readonly profile: Profile; readonly hostname: string }> {
  if (!transport) throw PosternError.public('invalid_argument', `there is no kind ${kind}; see: psh proxy --help`);
  const owner = cluster === undefined ? await Profile.owning(name) : undefined;
  if (owner && name.endsWith(`.${kind}.${owner.data.cluster}`)) return { profile: owner, hostname: name };
  const profile = await Profile.load(cluster);
  return { profile, hostname: routeName(profile.data.cluster, kind, name) };
}

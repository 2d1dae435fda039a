import type { Format } from '../output/formats.js';
import { showRows } from '../output/show.js';
import { relativeTime } from '../output/words.js';
import { addressText } from '../profile/proxy-address.js';
import { Profile } from '../profile/profile.js';

/** `psh status`: from the profiles alone, so that it works without the cluster. */
export async function status(options: { readonly cluster?: string; readonly format: Format }): Promise<void> {
  const now = new Date();
  const current = await Profile.load(options.cluster);
  const profiles = options.cluster === undefined ? await Profile.all() : [current];
  const rows = profiles.map(({ data: { cluster, user, roles, proxy, expires } }) => ({
    cluster,
    current: cluster === current.data.cluster,
    user,
    roles,
    proxy: addressText(proxy),
    expires,
    valid: new Date(expires) > now,
  }));
  await showRows(
    rows,
    [
      { title: 'CLUSTER', value: (row) => (row.current ? `${row.cluster} *` : row.cluster) },
      { title: 'USER', value: (row) => row.user },
      { title: 'ROLES', value: (row) => row.roles.join(', ') },
      { title: 'PROXY', value: (row) => row.proxy },
      {
        title: 'EXPIRES',
        value: (row) => (row.valid ? relativeTime(new Date(row.expires), now) : 'expired: psh login'),
      },
    ],
    options.format,
  );
  if (!rows.some(({ current: used, valid }) => used && valid)) process.exitCode = 1;
}

import type { z } from 'zod';
import type { issued } from '../../api/contract/login.js';
import { knownHostsLines, parseOpenSshLine } from '../../certificates/openssh-lines.js';
import type { UserKeys } from './keys.js';
import { Profile, type ProfileData } from './profile.js';
import { writePrivateFile } from './private-file.js';

/** Writes what a login brought into the profile of its cluster, replacing an earlier login. */
export async function writeLogin(
  login: z.output<typeof issued>,
  keys: UserKeys,
  proxy: ProfileData['proxy'],
): Promise<Profile> {
  const { cluster, user, roles, expires } = login.identity;
  const before = await Profile.load(cluster).catch(() => undefined);
  const left = { additions: before?.data.additions ?? [], files: before?.data.files ?? [] };
  const profile = new Profile({ version: 1, cluster, user, proxy, expires, roles, ...left });
  const { files } = profile;
  const hosts = login.authorities.sshHost.map((line) => parseOpenSshLine(line));
  const texts: readonly (readonly [string, string])[] = [
    [files.key, keys.tls.privateKey],
    [files.certificate, login.certificate],
    [files.identity, login.certificate + keys.tls.privateKey],
    // All that are trusted now, as the Auth Service says, which an authority that was proved has certified: so that users
    // know the next key before anything shows its certificates.
    [files.authority, login.authorities.host],
    [files.sshKey, keys.openSsh.privateKey],
    [`${files.sshKey}.pub`, `${keys.openSsh.publicKey}\n`],
    [files.sshCertificate, `${login.sshCertificate.trimEnd()}\n`],
    [files.knownHosts, knownHostsLines(cluster, hosts)],
  ];
  for (const [path, text] of texts) await writePrivateFile(path, text);
  await profile.save();
  await profile.select();
  return profile;
}

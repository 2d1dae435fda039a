import { readdir, readFile, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { PosternError } from '@postern/plugin-sdk';
import { routeLabel } from '../../tunnels/route.js';
import { writePrivateFile } from './private-file.js';

/** What `profile.json` holds. Checked by hand: connections wait for this file, and a schema library takes longer. */
export interface ProfileData {
  readonly version: 1;
  readonly cluster: string;
  readonly user: string;
  readonly proxy: { readonly host: string; readonly port: number };
  /** ISO 8601. */
  readonly expires: string;
  readonly roles: readonly string[];
  /** What login left outside the profile, to be taken back at logout. */
  readonly additions: readonly AddedBlock[];
  /** What it wrote for native tools in the profile itself, relative to it; absent in profiles of earlier versions. */
  readonly files?: readonly string[];
}

/** A file of the user's with a block of ours in it. */
export interface AddedBlock {
  /** Relative to the home directory. */
  readonly file: string;
  readonly comment: string;
  /** Whether there was no such file before. */
  readonly created: boolean;
}

const clusterName = /^[a-z0-9][a-z0-9.-]*$/;

/** The directory of all profiles: `POSTERN_HOME`, or `.psh` in the home directory. */
const profilesDirectory = (): string => process.env['POSTERN_HOME'] ?? join(homedir(), '.psh');

/** Where a login keeps what belongs to one cluster. Every file is 0600. */
export class Profile {
  readonly directory: string;

  constructor(
    readonly data: ProfileData,
    private readonly root = profilesDirectory(),
  ) {
    this.directory = join(root, data.cluster);
  }

  /** The profile of a named cluster, or of the one that was logged in to last. Rejects with `not_found` and what to do. */
  static async load(cluster = process.env['POSTERN_CLUSTER']): Promise<Profile> {
    const root = profilesDirectory();
    const name = cluster ?? (await readFile(join(root, 'current'), 'utf8').catch(() => '')).trim();
    if (name === '') throw PosternError.public('not_found', 'not logged in; run: psh login --proxy=<host:port>');
    if (!clusterName.test(name)) throw PosternError.public('invalid_argument', `${name} is not the name of a cluster`);
    const text = await readFile(join(root, name, 'profile.json'), 'utf8').catch((cause: unknown) => {
      throw PosternError.public('not_found', `not logged in to ${name}; run: psh login --proxy=<host:port>`, cause);
    });
    return new Profile(parseProfile(text, name), root);
  }

  /** The profile of the cluster that a full name such as `node.kind.cluster` ends in, if there is one. */
  static async owning(hostname: string): Promise<Profile | undefined> {
    const names = (await clusterNames()).filter((name) => hostname.endsWith(`.${name}`));
    const longest = names.sort((a, b) => b.length - a.length)[0];
    return longest === undefined ? undefined : Profile.load(longest);
  }

  /** Every profile that can be read. */
  static async all(): Promise<readonly Profile[]> {
    const loaded = await Promise.all((await clusterNames()).map((name) => Profile.load(name).catch(() => undefined)));
    return loaded.filter((profile) => profile !== undefined);
  }

  /** The paths of the credentials, as plugins see them. */
  get files() {
    const at = (name: string): string => join(this.directory, name);
    return {
      certificate: at('tls.crt'),
      key: at('tls.key'),
      authority: at('authority.pem'),
      identity: at('tls.pem'),
      sshKey: at('id_ed25519'),
      sshCertificate: at('id_ed25519-cert.pub'),
      knownHosts: at('known_hosts'),
    };
  }

  /** Where `psh proxy` serves a resource by a unix socket, unless it is told otherwise. */
  socketOf(kind: string, name: string): string {
    return join(this.directory, 'sockets', `${kind}-${routeLabel(name)}`);
  }

  /** The same profile with other additions and files for native tools. */
  withSetup(additions: readonly AddedBlock[], files: readonly string[]): Profile {
    return new Profile({ ...this.data, additions, files }, this.root);
  }

  /** Throws `expired` where the certificates have ended. */
  assureValid(): void {
    const { expires } = this.data;
    if (new Date(expires) <= new Date())
      throw PosternError.public('expired', `your certificate expired at ${expires}; log in again: psh login`);
  }

  async save(): Promise<void> {
    await writePrivateFile(join(this.directory, 'profile.json'), `${JSON.stringify(this.data, null, 2)}\n`);
  }

  /** Makes it the profile that commands use unless they are told otherwise. */
  async select(): Promise<void> {
    await writePrivateFile(join(this.root, 'current'), `${this.data.cluster}\n`);
  }

  async remove(): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
    const current = join(this.root, 'current');
    const selected = (await readFile(current, 'utf8').catch(() => '')).trim();
    if (selected === this.data.cluster) await rm(current, { force: true });
  }
}

async function clusterNames(): Promise<readonly string[]> {
  const entries = await readdir(profilesDirectory(), { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory() && clusterName.test(entry.name)).map(({ name }) => name);
}

function parseProfile(text: string, cluster: string): ProfileData {
  const value = parseJson(text);
  const { proxy } = value;
  const sound =
    value.version === 1 &&
    value.cluster === cluster &&
    [value.user, value.expires, proxy?.host].every((field) => typeof field === 'string') &&
    Number.isInteger(proxy?.port) &&
    Array.isArray(value.roles) &&
    Array.isArray(value.additions) &&
    Array.isArray(value.files ?? []);
  if (!sound) throw PosternError.public('invalid_config', `the profile of ${cluster} cannot be read; log in again`);
  return value as ProfileData;
}

function parseJson(text: string): Partial<ProfileData> {
  try {
    return (JSON.parse(text) as Partial<ProfileData> | null) ?? {};
  } catch {
    return {};
  }
}

import { lookup } from 'node:dns/promises';
import { homedir } from 'node:os';
import type { ClientProfile } from '@postern/plugin-sdk';
import type { Profile } from './profile.js';

const probeMs = 1500;

/** A profile as plugins see it. */
export async function clientProfile(
  profile: Profile,
  program: readonly string[],
  kinds: readonly string[] = [],
): Promise<ClientProfile> {
  const { cluster, user, proxy } = profile.data;
  const home = process.env['POSTERN_HOME'];
  const suffixes = await resolvable(kinds.map((kind) => `${kind}.${cluster}`));
  return {
    cluster,
    user,
    home: homedir(),
    directory: profile.directory,
    proxy,
    // Configuration files outlive this environment.
    program: home === undefined ? program : [...program, '--home', home],
    files: profile.files,
    resolves: (name) => suffixes.has(name.slice(name.indexOf('.') + 1)),
  };
}

/** The names that have a wildcard record: asked for once each, since a resolver without an answer takes its time. */
async function resolvable(suffixes: readonly string[]): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  const probes = suffixes.map(async (suffix) => {
    if (await lookup(`postern-probe.${suffix}`).catch(() => undefined)) found.add(suffix);
  });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, probeMs)));
  await Promise.race([Promise.all(probes), late]);
  clearTimeout(timer);
  return new Set(found);
}

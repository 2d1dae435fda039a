import { userInfo } from 'node:os';
import { login as loginEndpoint } from '../../api/contract/login.js';
import { relativeTime } from '../output/words.js';
import { authClient, profileClient } from '../profile/auth-connection.js';
import { generateUserKeys } from '../profile/keys.js';
import { writeLogin } from '../profile/write-login.js';
import { openPrompter } from '../prompt/open-prompter.js';
import { chooseCluster } from './choose-cluster.js';
import { configure } from './configure.js';
import { prove } from './prove.js';
import type { PshProduct } from './product.js';

export interface LoginOptions {
  readonly proxy?: string;
  readonly caPin?: string;
  readonly user?: string;
  /** Seconds. */
  readonly ttl?: number;
}

/** `psh login`. */
export async function login(product: PshProduct, options: LoginOptions): Promise<void> {
  const cluster = await chooseCluster(options);
  const user = options.user ?? cluster.user ?? userInfo().username;
  const keys = generateUserKeys(`${user}@${cluster.name}`);
  const request = {
    user,
    tlsPublicKey: keys.tls.publicKey,
    sshPublicKey: keys.openSsh.publicKey,
    ...(options.ttl !== undefined && { ttl: options.ttl }),
  };
  await using client = authClient({ cluster: cluster.name, ...cluster });
  using prompter = openPrompter();
  const answer = await prove(user, prompter, (answers) => client.call(loginEndpoint, { ...request, ...answers }));
  const profile = await writeLogin(answer, keys, cluster.proxy);
  await using own = await profileClient(profile);
  const { warnings, reachable } = await configure(own, profile, product);
  const { roles, expires } = answer.identity;
  const until = `${expires} (${relativeTime(new Date(expires), new Date())})`;
  process.stdout.write(
    `Logged in to ${cluster.name} as ${user}, until ${until}.\n` +
      `Roles: ${roles.join(', ') || 'none'}. You may reach ${reachable} ${reachable === 1 ? 'resource' : 'resources'}: psh ls\n`,
  );
  for (const warning of warnings) process.stderr.write(`psh: ${warning}\n`);
}

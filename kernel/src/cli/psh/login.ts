import { userInfo } from 'node:os';
import type { z } from 'zod';
import { PosternError } from '@postern/plugin-sdk';
import { login as loginEndpoint, type issued } from '../../api/contract/login.js';
import type { ApiClient } from '../../api/api-client.js';
import { relativeTime } from '../output/words.js';
import { authClient, profileClient } from '../profile/auth-connection.js';
import { generateUserKeys } from '../profile/keys.js';
import { writeLogin } from '../profile/write-login.js';
import { askNewPassword } from '../prompt/new-password.js';
import { openPrompter } from '../prompt/open-prompter.js';
import type { Prompter } from '../prompt/prompter.js';
import { chooseCluster } from './choose-cluster.js';
import { configure } from './configure.js';
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
  const answer = await prove(client, request, prompter);
  const profile = await writeLogin(answer, keys, cluster);
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

type Request = Omit<z.input<(typeof loginEndpoint)['input']>, 'password'>;

/** Asks for a password and for whatever else the answer says is needed. */
async function prove(client: ApiClient, request: Request, prompter: Prompter): Promise<z.output<typeof issued>> {
  let proof: { password: string; code?: string; newPassword?: string } = {
    password: await prompter.hidden(`Password of ${request.user}`),
  };
  for (let round = 0; ; round++) {
    try {
      return await client.call(loginEndpoint, { ...request, ...proof });
    } catch (cause) {
      proof = { ...proof, ...(await moreProof(PosternError.from(cause), proof, prompter, round)) };
    }
  }
}

const maxRounds = 5;

async function moreProof(
  error: PosternError,
  proof: { readonly code?: string; readonly newPassword?: string },
  prompter: Prompter,
  round: number,
): Promise<{ code?: string; newPassword?: string }> {
  if (round >= maxRounds) throw error;
  if (error.code === 'mfa_required' && proof.code === undefined) return { code: (await prompter.ask('Code')).trim() };
  if (error.code === 'password_change_required' && proof.newPassword === undefined) {
    if (prompter.interactive) process.stderr.write('This password worked once. Choose your own now.\n');
    return { newPassword: await askNewPassword(prompter) };
  }
  // A new password that is too short, for example: a person may choose another.
  if (error.code === 'invalid_argument' && proof.newPassword !== undefined && prompter.interactive) {
    process.stderr.write(`${error.message}\n`);
    return { newPassword: await askNewPassword(prompter) };
  }
  throw error;
}

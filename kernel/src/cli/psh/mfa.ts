import { readFile } from 'node:fs/promises';
import { PosternError } from '@postern/plugin-sdk';
import type { ApiClient } from '../../api/api-client.js';
import { addDevice, confirmDevice, listDevices, removeDevice } from '../../api/contract/mfa.js';
import type { Format } from '../output/formats.js';
import { showRows } from '../output/show.js';
import { relativeTime } from '../output/words.js';
import { authClient } from '../profile/auth-connection.js';
import { Profile } from '../profile/profile.js';
import { openPrompter } from '../prompt/open-prompter.js';
import type { Prompter } from '../prompt/prompter.js';
import { prove, type Answers } from './prove.js';
import { showSeed } from './show-seed.js';
import { withClient } from './with-client.js';

interface MfaOptions {
  readonly cluster?: string;
}

/** `psh mfa add`: the device counts once a code of it was typed. */
export async function addMfa(device: string, { cluster }: MfaOptions): Promise<void> {
  await withProof(cluster, async ({ client, user, prompter, answered }) => {
    const offer = await answered((answers) => client.call(addDevice, { user, device, ...answers }));
    process.stderr.write(`\nFor ${device}, add this to your authenticator application:\n\n`);
    await showSeed(offer);
    await confirmed(prompter, (code) => client.call(confirmDevice, { user, token: offer.token, code }));
    process.stdout.write(
      `${device} is a second factor of ${user} now: every login asks for a code. Log in again with it: psh login\n`,
    );
  });
}

/** `psh mfa rm`. */
export async function removeMfa(device: string, { cluster }: MfaOptions): Promise<void> {
  await withProof(cluster, async ({ client, user, answered }) => {
    await answered((answers) => client.call(removeDevice, { user, device, ...answers }));
    process.stdout.write(
      `${device} is no second factor of ${user} any more, and your certificates have ended. Log in again: psh login\n`,
    );
  });
}

/** `psh mfa ls`. */
export async function listMfa({ cluster, format }: MfaOptions & { readonly format: Format }): Promise<void> {
  const devices = await withClient(cluster, (client) => client.call(listDevices, {}));
  await showRows(
    devices,
    [
      { title: 'DEVICE', value: ({ name }) => name },
      { title: 'ADDED', value: ({ added }) => (added === undefined ? '-' : relativeTime(new Date(added), new Date())) },
    ],
    format,
  );
}

interface Conversation {
  readonly client: ApiClient;
  readonly user: string;
  readonly prompter: Prompter;
  /** Asks for the user's proof, and calls with it. */
  readonly answered: <T>(attempt: (answers: Omit<Answers, 'newPassword'>) => Promise<T>) => Promise<T>;
}

/** Needs no certificate, since the roles of whoever has no second factor yet may demand one. */
async function withProof(
  cluster: string | undefined,
  use: (conversation: Conversation) => Promise<void>,
): Promise<void> {
  const { data, files } = await Profile.load(cluster);
  const authorities = await readFile(files.authority, 'utf8');
  await using client = authClient({ cluster: data.cluster, proxy: data.proxy, authorities });
  using prompter = openPrompter();
  const { user } = data;
  await use({
    client,
    user,
    prompter,
    answered: (attempt) => prove(user, prompter, (answers) => attempt(answers).catch(explained)),
  });
}

/** A password that works once is replaced at a login, and nowhere else. */
function explained(cause: unknown): never {
  if (PosternError.is(cause) && cause.code === 'password_change_required')
    throw PosternError.public('unauthenticated', 'this password works once: choose your own first: psh login', cause);
  throw cause;
}

/** A person may mistype; the Auth Service says when it is enough. */
async function confirmed(prompter: Prompter, confirm: (code: string) => Promise<unknown>): Promise<void> {
  for (;;)
    try {
      await confirm((await prompter.ask('Code that it shows')).trim());
      return;
    } catch (cause) {
      if (!prompter.interactive || !PosternError.is(cause) || cause.code !== 'invalid_argument') throw cause;
      process.stderr.write(`${cause.message}\n`);
    }
}

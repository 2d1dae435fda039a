import { PosternError } from '@postern/plugin-sdk';
import { acceptInvite, getInvite } from '../../api/contract/users.js';
import { authClient } from '../profile/auth-connection.js';
import { addressText, proxyAddress } from '../profile/proxy-address.js';
import { askNewPassword } from '../prompt/new-password.js';
import { openPrompter } from '../prompt/open-prompter.js';
import { chooseCluster } from './choose-cluster.js';
import { showSeed } from './show-seed.js';

/** `psh accept`: chooses a password, and enrols a second factor for whoever wants one. */
export async function accept(link: string, options: { readonly caPin?: string }): Promise<void> {
  const { proxy, token } = parseLink(link);
  const cluster = await chooseCluster({ proxy, ...options });
  await using client = authClient({ cluster: cluster.name, ...cluster });
  const invite = await client.call(getInvite, { token });
  using prompter = openPrompter();
  if (prompter.interactive) process.stderr.write(`Welcome to ${cluster.name}, ${invite.user}. Choose a password.\n`);
  const password = await askNewPassword(prompter);
  process.stderr.write('\nFor a second factor, add this to your authenticator application:\n\n');
  await showSeed(invite.totp);
  const code = (await prompter.ask('Code that it shows (empty: no second factor)')).trim();
  const { user, totp } = await client.call(acceptInvite, { token, password, ...(code !== '' && { code }) });
  const factor = totp ? 'with a second factor' : 'without a second factor';
  const pin = options.caPin === undefined ? '' : ` --ca-pin=${options.caPin}`;
  process.stdout.write(
    `${user} is ready, ${factor}. Log in:\n\n` +
      `    psh login --proxy=${addressText(cluster.proxy)}${pin} --user=${user}\n`,
  );
}

function parseLink(link: string): { readonly proxy: string; readonly token: string } {
  const url = URL.canParse(link) ? new URL(link) : undefined;
  const token = /^\/invite\/([A-Za-z0-9_-]{1,128})$/.exec(url?.pathname ?? '')?.[1];
  if (url?.protocol !== 'https:' || token === undefined)
    throw PosternError.public('invalid_argument', 'this is no invitation: it looks like https://host:port/invite/…');
  return { proxy: addressText(proxyAddress(url.port === '' ? `${url.hostname}:443` : url.host)), token };
}

import { PosternError, type Identity } from '@postern/plugin-sdk';
import type { RdpSpec } from './protocol.js';

type RdpAccount = RdpSpec['accounts'][number];

/** Some clients cut the name in their cookie off here. */
const cookieLength = 9;

/**
 * Which account a client wants: the one that it names; the only one that its
 * name may be the beginning of; or the only one that there is for this user.
 * The name is a wish and proves nothing. Rejects where there is a choice.
 */
export function chooseAccount(spec: RdpSpec, wish: string | undefined, identity: Identity | undefined): RdpAccount {
  const { accounts } = spec;
  const wanted = wish?.toLowerCase().replace(/^.*\\/, '');
  const named = accounts.find(({ login }) => login.toLowerCase() === wanted);
  if (named) return named;
  const begun = accounts.filter(
    ({ login }) => wanted?.length === cookieLength && login.toLowerCase().startsWith(wanted),
  );
  const principals = identity?.principals['rdp'] ?? [];
  const own = accounts.filter(({ login }) => principals.includes(login));
  for (const found of [begun, accounts, own]) if (found.length === 1 && found[0]) return found[0];
  throw PosternError.public('invalid_argument', 'choose an account of the desktop as user name');
}

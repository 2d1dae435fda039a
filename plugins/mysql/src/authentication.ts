import { authPlugins } from './auth-plugins.js';
import { PosternError } from '@postern/plugin-sdk';
import { signNonce } from './ed25519-password.js';

/** One exchange of a method: takes what the server sends, gives what to send; nothing where the server goes on. */
export type Exchange = (data: Buffer) => Buffer | undefined;

export interface Secret {
  /** Absent where the server is to believe the certificate, or nobody. */
  readonly password: string | undefined;
  /** True where the server has proved by TLS who it is: only then may it see the password itself. */
  readonly trusted: boolean;
}

const empty = Buffer.alloc(0);
/** AuthMoreData of `caching_sha2_password`: known already, or the password itself is wanted. */
const known = 3;
const wantsPassword = 4;

const methods: Readonly<Record<string, (secret: Secret & { readonly password: string }) => Exchange>> = {
  mysql_native_password:
    ({ password }) =>
    (nonce) =>
      authPlugins.native(password, nonce),
  client_ed25519:
    ({ password }) =>
    (nonce) =>
      signNonce(password, nonce),
  caching_sha2_password: cachingSha2,
  sha256_password: (secret) => () => inClear(secret),
  mysql_clear_password: (secret) => () => inClear(secret),
};

/** Rejects with `upstream_auth` for a method that is not known, or that would give a password away. */
export function authenticate(method: string, secret: Secret): Exchange {
  const { password } = secret;
  // An empty answer is what a user without a password gives, whatever the method is.
  if (password === undefined) return () => empty;
  const make = Object.hasOwn(methods, method) ? methods[method] : undefined;
  if (!make) throw refused(`the server wants ${JSON.stringify(method.slice(0, 64))}, which is not known here`);
  return make({ ...secret, password });
}

function cachingSha2(secret: Secret & { readonly password: string }): Exchange {
  let greeted = false;
  return (data) => {
    if (!greeted) {
      greeted = true;
      return authPlugins.cachingSha2(secret.password, data);
    }
    if (data[0] === known) return undefined;
    if (data[0] === wantsPassword) return inClear(secret);
    throw refused('the server goes on in a way that its method does not have');
  };
}

/** The server could also be asked for a key to encrypt with, but nothing would tell whose key that is. */
function inClear({ password = '', trusted }: Secret): Buffer {
  if (trusted) return Buffer.from(`${password}\0`);
  throw refused('the server wants to see the password, and has not proved by TLS who it is');
}

const refused = (message: string): PosternError => PosternError.public('upstream_auth', message);

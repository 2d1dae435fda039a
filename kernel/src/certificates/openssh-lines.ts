import { PosternError } from '@postern/plugin-sdk';
import { checkName, clusterName } from './name-grammar.js';
import { openSshTypeOf } from './openssh-key.js';

const maximumLineLength = 48_000;

/** A public key or a certificate as one line of `authorized_keys` or `id_ed25519-cert.pub`: type, base64, comment. */
export function openSshLine(blob: Buffer, comment = ''): string {
  if (/\p{C}/u.test(comment)) throw PosternError.public('invalid_argument', 'a comment is one line of text');
  return [openSshTypeOf(blob), blob.toString('base64'), comment].filter((part) => part !== '').join(' ');
}

/** Reads {@link openSshLine}'s output. Options before the type are refused; the comment is ignored. */
export function parseOpenSshLine(line: string): Buffer {
  const match =
    line.length > maximumLineLength ? null : /^([!-~]{1,64}) ([A-Za-z0-9+/]+={0,2})(?: [^\r\n]*)?\r?\n?$/.exec(line);
  const blob = Buffer.from(match?.[2] ?? '', 'base64');
  if (!match || blob.length < 4 || typeOrNothing(blob) !== match[1])
    throw PosternError.public('invalid_argument', 'not an OpenSSH public key line');
  return blob;
}

/** The lines of a `known_hosts` file that make a client believe every host certificate of a cluster. */
export function knownHostsLines(cluster: string, authorities: readonly Buffer[]): string {
  checkName(clusterName, 'cluster name', cluster);
  return authorities.map((blob) => `@cert-authority *.${cluster} ${openSshLine(blob)}\n`).join('');
}

function typeOrNothing(blob: Buffer): string | undefined {
  try {
    return openSshTypeOf(blob);
  } catch {
    return undefined;
  }
}

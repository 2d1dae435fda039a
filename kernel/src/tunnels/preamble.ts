import { PosternError } from '@postern/plugin-sdk';

/**
 * The line with which a connection opens that is encrypted end to end already,
 * so that TLS would only encrypt it twice.
 *
 *     POSTERN/1 <name>\n            the user's program: lead me to this name
 *     POSTERN-TICKET <32 hex>\n     an agent: this is the connection you asked for
 *
 * The first is answered by one line, `ok` or `error <text>`, and the stream of
 * the name's owner begins behind it. The second is not answered: the client's
 * stream follows at once. All is ASCII.
 */
export type Preamble =
  | { readonly kind: 'none' }
  | { readonly kind: 'more' }
  | { readonly kind: 'bad'; readonly reason: string }
  | { readonly kind: 'route'; readonly name: string; readonly size: number }
  | { readonly kind: 'ticket'; readonly ticket: string; readonly size: number };

const start = 'POSTERN';
const maxName = 255;
const maxLine = 300;
/** The answer to a route preamble, with `error ` and its LF. */
export const maxAnswer = 512;

export function parsePreamble(head: Buffer): Preamble {
  const compared = Math.min(head.length, start.length);
  if (head.toString('latin1', 0, compared) !== start.slice(0, compared)) return { kind: 'none' };
  const end = head.subarray(0, maxLine).indexOf('\n');
  if (end < 0) return head.length < maxLine ? { kind: 'more' } : { kind: 'bad', reason: 'the preamble does not end' };
  const line = head.toString('latin1', 0, end);
  const size = end + 1;
  const ticket = /^POSTERN-TICKET ([0-9a-f]{32})$/.exec(line)?.[1];
  if (ticket !== undefined) return { kind: 'ticket', ticket, size };
  const version = /^POSTERN\/([0-9]{1,4}) /.exec(line)?.[1];
  if (version === undefined) return { kind: 'bad', reason: 'the preamble is malformed' };
  if (version !== '1') return { kind: 'bad', reason: `preamble version ${version} is not known here, 1 is` };
  const name = line.slice('POSTERN/1 '.length);
  if (name.length > maxName || !/^[\x21-\x7e]+$/.test(name))
    return { kind: 'bad', reason: 'the preamble names no route' };
  return { kind: 'route', name: name.toLowerCase().replace(/\.$/, ''), size };
}

/** The line by which the user's program asks for a route. Throws `invalid_argument` for what is no name. */
export function routePreamble(name: string): Buffer {
  if (name.length > maxName || !/^[\x21-\x7e]+$/.test(name))
    throw PosternError.public('invalid_argument', `${JSON.stringify(name)} is not the name of a route`);
  return Buffer.from(`POSTERN/1 ${name}\n`, 'latin1');
}

export const ticketPreamble = (ticket: string): Buffer => Buffer.from(`POSTERN-TICKET ${ticket}\n`, 'latin1');

export const routeAccepted = Buffer.from('ok\n');

/** One printable line whatever `text` holds. */
export function routeRefused(text: string): Buffer {
  return Buffer.from(
    `error ${text.replace(/[^\x20-\x7e]+/g, ' ').slice(0, maxAnswer - 'error \n'.length)}\n`,
    'latin1',
  );
}

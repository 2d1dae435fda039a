import { encodeCommand, errorReply } from './wire.js';

/** What becomes of a command that does not reach the server as it is. */
export type Rewritten =
  /** Goes to the server instead. */
  | { readonly kind: 'forward'; readonly command: Buffer }
  /** Is all that the client gets. */
  | { readonly kind: 'reply'; readonly reply: Buffer };

const rewriters: Readonly<Record<string, (words: readonly Buffer[], user: string) => Rewritten>> = {
  auth: authenticate,
  hello: greet,
  reset: () => reply('NOPERM', 'RESET would log this session out at the server; connect again instead'),
};

/** True for a command about who the client is. It must be read whole. */
export const isRewritten = (name: string): boolean => Object.hasOwn(rewriters, name);

/** `user` is who the session is at the server: the agent has logged in already, and passwords mean nothing. */
export const rewrite = (name: string, words: readonly Buffer[], user: string): Rewritten =>
  rewriters[name]?.(words, user) ?? { kind: 'forward', command: encodeCommand(words) };

/** `AUTH password` or `AUTH user password`. */
function authenticate(words: readonly Buffer[], user: string): Rewritten {
  if (words.length < 2 || words.length > 3) return reply('ERR', "wrong number of arguments for 'auth' command");
  return isOther(words.length === 3 ? words[1] : undefined, user) ?? { kind: 'reply', reply: Buffer.from('+OK\r\n') };
}

/** `HELLO [version [AUTH user password] [SETNAME name]]`: goes on without the login. */
function greet(words: readonly Buffer[], user: string): Rewritten {
  const at = words.findIndex((word, index) => index >= 2 && word.toString('latin1').toLowerCase() === 'auth');
  if (at < 0 || at + 2 >= words.length) return { kind: 'forward', command: encodeCommand(words) };
  const rest = [...words.slice(0, at), ...words.slice(at + 3)];
  return isOther(words[at + 1], user) ?? { kind: 'forward', command: encodeCommand(rest) };
}

function isOther(wanted: Buffer | undefined, user: string): Rewritten | undefined {
  if (wanted === undefined || wanted.toString() === user) return undefined;
  return reply(
    'NOPERM',
    `this session is ${user} at the server; to be somebody else, connect anew and begin with AUTH`,
  );
}

const reply = (code: string, message: string): Rewritten => ({ kind: 'reply', reply: errorReply(code, message) });

import type { Onward, Opening, ProxyModule } from '@postern/plugin-sdk';
import { firstAndLastWords } from './last-words.js';

const identification = 'SSH-';

const text = 'this is not an SSH server; run psh login, then ssh <login>@<node>.ssh.<cluster>';

/** Recognises an SSH client that came to the public port by itself: it names no node, so it cannot be routed. */
export const recognise: ProxyModule['recognise'] = (head) => {
  const seen = head.subarray(0, identification.length).toString('latin1');
  if (seen === identification) return 'yes';
  return identification.startsWith(seen) ? 'more' : 'no';
};

/** Tells it so in words that it shows, and closes. */
export const open: ProxyModule['open'] = async (opening: Opening): Promise<Onward> => {
  await opening.write(firstAndLastWords(text));
  return { kind: 'closed' };
};

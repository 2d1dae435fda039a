import type { Onward } from '@postern/plugin-sdk';
import { ClientHelloReader } from './client-hello.js';
import type { Hello } from './hello-message.js';
import type { SocketOpening } from './opening.js';
import { parsePreamble, routeRefused } from './preamble.js';
import type { DedicatedPort } from './dedicated-port.js';
import type { ProxyHalves } from './proxy-halves.js';
import { parseProxyHeader } from './proxy-protocol.js';
import { plainHttpAnswer, tlsAlert } from './refusal-answer.js';
import { Refusal } from './refusal.js';

/** What a connection wants, once its first bytes have said so. */
export type Wish =
  | { readonly kind: 'tls'; readonly hello: Hello }
  | { readonly kind: 'route'; readonly name: string }
  | { readonly kind: 'ticket'; readonly ticket: string }
  | Exclude<Onward, { readonly kind: 'tls' }>;

/**
 * Reads an opening as far as it takes to know where it leads, and consumes
 * what is meant for the proxy: preambles, and what a plugin's proxy half talked
 * about. A ClientHello stays unread. Rejects with a {@link Refusal}, or with an
 * error of the opening.
 */
export async function classify(opening: SocketOpening, halves: ProxyHalves): Promise<Wish> {
  const hello = new ClientHelloReader();
  for (;;) {
    const head = opening.peek();
    const wish = head.length === 0 ? undefined : await recognise(opening, hello, halves);
    if (wish) return wish;
    await opening.more();
  }
}

/** The same on a port that belongs to one kind, whose plugin speaks first where its protocol does. */
export async function classifyDedicated(
  opening: SocketOpening,
  { half }: DedicatedPort,
  halves: ProxyHalves,
): Promise<Wish> {
  const greet = await half?.load();
  if (!half || !greet?.greet) return classify(opening, halves);
  const onward = await greet.greet(opening);
  return onward.kind === 'tls' ? readHello(opening, half.id) : onward;
}

/** `undefined` waits for another byte. */
async function recognise(
  opening: SocketOpening,
  reader: ClientHelloReader,
  halves: ProxyHalves,
): Promise<Wish | undefined> {
  const head = opening.peek();
  const hello = reader.read(head);
  if (hello.kind === 'hello') return { kind: 'tls', hello };
  if (hello.kind === 'bad') throw new Refusal('malformed', hello.reason, { answer: tlsAlert('decode_error') });
  if (hello.kind === 'more') return undefined;
  const preamble = parsePreamble(head);
  if (preamble.kind === 'bad')
    throw new Refusal('malformed', preamble.reason, { answer: routeRefused(preamble.reason) });
  if (preamble.kind === 'more') return undefined;
  if (preamble.kind === 'none') return offer(opening, halves);
  opening.take(preamble.size);
  return preamble;
}

async function offer(opening: SocketOpening, halves: ProxyHalves): Promise<Wish | undefined> {
  const recognised = await halves.recognise(opening.peek());
  if (recognised.kind === 'more') return undefined;
  if (recognised.kind === 'no')
    throw new Refusal('unrecognised', 'nobody here recognises the first bytes', {
      answer: plainHttpAnswer(opening.peek()),
    });
  const onward = await recognised.module.open(opening);
  return onward.kind === 'tls' ? readHello(opening, recognised.id) : onward;
}

async function readHello(opening: SocketOpening, id: string): Promise<Wish> {
  if (opening.interrupted) throw new Refusal('injected', `bytes arrived before the answer of ${id}`);
  const reader = new ClientHelloReader();
  for (;;) {
    const hello = reader.read(opening.peek());
    if (hello.kind === 'hello') return { kind: 'tls', hello };
    if (hello.kind === 'not-tls') throw new Refusal('malformed', `no TLS follows the opening of ${id}`);
    if (hello.kind === 'bad') throw new Refusal('malformed', hello.reason, { answer: tlsAlert('decode_error') });
    await opening.more();
  }
}

/** Consumes a PROXY header and returns the source that it states, if any. */
export async function readProxyHeader(opening: SocketOpening): Promise<string | undefined> {
  for (;;) {
    const header = parseProxyHeader(opening.peek());
    if (header.kind === 'none') return undefined;
    if (header.kind === 'bad') throw new Refusal('malformed', header.reason);
    if (header.kind === 'header') {
      opening.take(header.size);
      return header.source;
    }
    await opening.more();
  }
}

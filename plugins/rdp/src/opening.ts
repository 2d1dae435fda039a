import type { Duplex } from 'node:stream';
import { FrameReader, PosternError, write, type ClientLink, type Denial } from '@postern/plugin-sdk';
import { connectTag } from './mcs.js';
import { violation } from './pdu-tap.js';
import type { InnerTls } from './inner-tls.js';
import { conferenceBlocks } from './mcs.js';
import {
  connectionConfirm,
  connectionFailure,
  maxRequestBytes,
  negotiationFailure,
  readConnectionRequest,
  requestLength,
  security,
} from './x224.js';

/** A client that has told whom it wants to become. */
export interface ClientOpening {
  readonly client: 'native' | 'web';
  /** RDP in clear, for whoever serves it. */
  readonly stream: Duplex;
  /** What the client calls its user. */
  readonly wish: string | undefined;
  /** The security that it asked for. */
  readonly protocols: number;
  /** Its Connect-Initial, where it had to be read already. */
  readonly initial: Buffer | undefined;
  readonly early: Buffer;
  /** Says that the desktop was reached. */
  welcome(): Promise<void>;
  /** Says no before anything of the desktop was relayed. */
  turnAway(code: number, denial: Denial): Promise<void>;
  /** Says why a session ends, where the client has words besides those of the protocol. */
  farewell(denial: Denial): Promise<void>;
}

/** The longest Connect-Initial: 31 channels and some monitors fit many times. */
const maxInitialBytes = 8192;

/**
 * Reads a native client's opening: X.224, the TLS that it insists on, and its
 * Connect-Initial. A refusal can then be said in words that clients print.
 */
export async function openNative(
  link: ClientLink,
  inner: InnerTls,
  turnAway: (stream: Duplex, initial: Buffer, code: number, protocols: number) => Promise<void>,
): Promise<ClientOpening> {
  const request = await readRequest(link.stream);
  if ((request.protocols & security.tls) === 0) {
    await write(link.stream, connectionFailure(negotiationFailure.tlsRequired));
    throw PosternError.public('protocol_violation', 'connect with TLS security: xfreerdp /sec:tls');
  }
  const confirmed = write(link.stream, connectionConfirm(security.tls));
  // In the same tick: nothing of what the client answers may be read by anybody else.
  const accepting = inner.accept(link.stream);
  const [stream] = await Promise.all([accepting, confirmed]);
  const reader = new FrameReader(stream, maxInitialBytes);
  const initial = await readPdu(reader);
  const early = Buffer.from(reader.release());
  checked(() => connectTag(initial) === 0x65 && conferenceBlocks(initial, 0x65));
  return {
    client: 'native',
    stream,
    wish: request.user,
    protocols: request.protocols,
    initial,
    early,
    welcome: async () => {},
    turnAway: (code) => turnAway(stream, initial, code, request.protocols),
    farewell: async () => {},
  };
}

async function readRequest(stream: Duplex) {
  const reader = new FrameReader(stream, maxRequestBytes);
  let rest = Buffer.alloc(0);
  try {
    const pdu = await readPdu(reader);
    return checked(() => readConnectionRequest(pdu));
  } finally {
    rest = Buffer.from(reader.release());
    if (rest.length > 0) stream.unshift(rest);
    assureSilence(rest);
  }
}

/** A client that goes on before it was answered is not one: somebody put words into its mouth. */
function assureSilence(rest: Buffer): void {
  if (rest.length > 0) throw PosternError.public('protocol_violation', 'bytes in clear follow the connection request');
}

async function readPdu(reader: FrameReader): Promise<Buffer> {
  const head = Buffer.from(await reader.bytes(4));
  const length = checked(() => requestLength(head));
  if (length < 7) throw PosternError.public('protocol_violation', `a TPKT of ${length} bytes`);
  return Buffer.concat([head, await reader.bytes(length - 4)]);
}

/** Runs a parser; what is malformed becomes the error that ends a session. */
export function checked<T>(parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    throw violation(cause);
  }
}

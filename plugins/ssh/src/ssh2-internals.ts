import type { Duplex, Readable } from 'node:stream';
import type { Connection } from 'ssh2';

/**
 * The parts of ssh2 1.17.0 that are not its public interface and that this
 * plugin uses. Nothing else may reach inside the library. The version is pinned
 * exactly, and the self-test refuses to start on one that behaves differently.
 */
export interface ProtocolInternals {
  /** The host keys by algorithm; read once in each key exchange. */
  _hostKeys: Record<string, unknown>;
  _kex: {
    readonly sessionID: Buffer;
    readonly negotiated: { serverHostKey: string };
    remoteExtInfoEnabled: boolean;
  };
  /** Set while a key exchange is under way; other messages wait in `_queue`. */
  readonly _kexinit: Buffer | undefined;
  _queue: Buffer[] | undefined;
  _cipher: CipherInternals;
  readonly _decipher: DecipherInternals | undefined;
  readonly _packetRW: {
    readonly write: {
      readonly allocStart: number;
      readonly allocStartKEX: number;
      alloc(length: number, evenInKeyExchange?: boolean): Buffer;
      finalize(packet: Buffer, evenInKeyExchange?: boolean): Buffer;
    };
  };
  /** Gone once the connection can no longer be used. */
  readonly _destruct: unknown;
  _onPayload: (payload: Buffer) => unknown;
  /** Reads what the client sent. */
  parse: (chunk: Buffer, from: number, length: number) => void;
  _authsQueue: string[];
  readonly _identRaw: Buffer;
  channelOpenFail(remote: number, reason: number, text: string): void;
  channelData(remote: number, data: Buffer): void;
  channelExtData(remote: number, data: Buffer, type: number): void;
  requestSuccess(data?: Buffer): void;
  requestFailure(): void;
  openssh_authAgent(local: number, window: number, packetSize: number): void;
  rekey(): void;
}

/** What encrypts; there is a new one after each key exchange. */
export interface CipherInternals {
  allocPacket: (payloadLength: number) => Buffer;
  encrypt: (packet: Buffer) => void;
  readonly _onWrite: (data: Buffer) => void;
  readonly _dead: boolean;
  /** Counts packets; a strict key exchange sets it back. */
  outSeqno: number;
  /** These three only in the cipher for GCM that has no native part. */
  readonly _encSSLName?: 'aes-128-gcm' | 'aes-256-gcm';
  readonly _encKey?: Buffer;
  readonly _encIV?: Buffer;
}

/** What decrypts; there is a new one after each key exchange. */
export interface DecipherInternals {
  /** Only in the cipher for GCM that has no native part. */
  readonly _decipherSSLName?: string;
}

interface Half {
  readonly id: number;
  window: number;
  readonly packetSize: number;
  state: string;
}

/** A channel whose stream exists: its readable half is used, its writable half is not. */
export interface ChannelInternals extends Readable {
  readonly incoming: Half;
  readonly outgoing: Half;
  eof(): void;
  close(): void;
}

/** A session before (and after) its shell, command or subsystem was requested. */
export interface SessionInternals {
  readonly _chanInfo: { readonly incoming: Half; readonly outgoing: Half };
  readonly _channel: ChannelInternals | undefined;
}

export interface ConnectionInternals {
  readonly _protocol: ProtocolInternals;
  readonly _sock: Duplex;
  readonly _chanMgr: {
    readonly _count: number;
    readonly _channels: Readonly<Record<string, unknown>>;
    add(value: unknown): number;
    get(id: number): unknown;
    remove(id: number): void;
  };
}

const functions = [
  '_onPayload',
  'parse',
  'channelOpenFail',
  'channelData',
  'channelExtData',
  'openssh_authAgent',
  'rekey',
] as const;

/** Throws where the library is not the one that these types describe. */
export function internalsOf(connection: Connection): ConnectionInternals {
  const inside = connection as unknown as ConnectionInternals;
  const protocol = inside._protocol;
  if (!protocol || functions.some((name) => typeof protocol[name] !== 'function'))
    throw new TypeError('ssh2 is not the version that this plugin was written for');
  if (typeof inside._chanMgr?._count !== 'number' || typeof protocol._packetRW?.write?.alloc !== 'function')
    throw new TypeError('ssh2 is not the version that this plugin was written for');
  return inside;
}

/** The channel with this local number, once it has a stream. */
export function channelOf(inside: ConnectionInternals, id: number): ChannelInternals | undefined {
  const entry = inside._chanMgr.get(id);
  if (typeof entry !== 'object' || entry === null) return undefined;
  if ('incoming' in entry) return entry as ChannelInternals;
  return (entry as SessionInternals)._channel;
}

import type { Duplex } from 'node:stream';
import ssh2, { type Client, type Connection } from 'ssh2';
import { serverAlgorithms } from './algorithms.js';
import { Transport } from './transport.js';
import { message, WireWriter } from './wire.js';

const certificateAlgorithm = 'ssh-ed25519-cert-v01@openssh.com';
const plainAlgorithm = 'ssh-ed25519';

export interface CanaryOptions {
  readonly login: string;
  /** Signs: `string algorithm | string value`. */
  readonly key: { sign(data: Buffer): Buffer };
  readonly certificate: Buffer;
  /** The certificate that the server must show, and prove to hold the key of. */
  readonly hostCertificate: Buffer;
  readonly hostKey: Buffer;
  /** Sees every message of the server after the first key exchange. */
  onMessage(payload: Buffer): void;
}

interface ClientInternals {
  readonly _protocol: {
    _offer: { readonly lists: Lists; readonly constructor: new (lists: unknown) => CanaryOffer };
    readonly _kex: { readonly sessionID: Buffer; readonly negotiated: { serverHostKey: string } };
    _onPayload: (payload: Buffer) => unknown;
    _authsQueue: string[];
  };
}
type CanaryOffer = ClientInternals['_protocol']['_offer'];
interface Direction {
  readonly cipher: { readonly array: string[] };
  readonly mac: { readonly array: string[] };
  readonly compress: { readonly array: string[] };
}
interface Lists {
  readonly kex: { readonly array: string[] };
  readonly cs: Direction;
  readonly sc: Direction;
}

/**
 * A client with certificates on both sides, for the self-test: what ssh2's
 * client lacks for that, done from outside, for Ed25519 alone.
 */
export class CanaryClient {
  readonly transport: Transport;

  private constructor(
    readonly client: Client,
    private readonly options: CanaryOptions,
  ) {
    this.transport = new Transport(client as unknown as Connection);
  }

  static connect(stream: Duplex, options: CanaryOptions): CanaryClient {
    const client = new ssh2.Client();
    client.on('error', () => {});
    const made: { canary?: CanaryClient } = {};
    client.connect({
      sock: stream,
      username: options.login,
      algorithms: serverAlgorithms,
      hostVerifier: (blob: Buffer) => made.canary?.acceptHost(blob) ?? false,
      // Called when the server is ready for a request: it is sent by hand.
      authHandler: () => made.canary?.logIn(),
    });
    const canary = new CanaryClient(client, options);
    made.canary = canary;
    canary.#offerCertificate();
    canary.#watch();
    return canary;
  }

  get #inside(): ClientInternals['_protocol'] {
    return (this.client as unknown as ClientInternals)._protocol;
  }

  /**
   * ssh2 hashes these very bytes, which must be the certificate, and then reads
   * the key from them, which must be the plain one: the buffer shows the plain
   * key to the two methods by which it is read.
   */
  acceptHost(blob: Buffer): boolean {
    const { hostCertificate, hostKey } = this.options;
    if (!blob.equals(hostCertificate)) return false;
    this.#inside._kex.negotiated.serverHostKey = plainAlgorithm;
    const fields = hostKey.subarray(4 + hostKey.readUInt32BE());
    Object.assign(blob, { utf8Slice: () => plainAlgorithm, slice: () => fields });
    return true;
  }

  logIn(): void {
    const { login, key, certificate } = this.options;
    const request = new WireWriter()
      .byte(message.authRequest)
      .string(login)
      .string('ssh-connection')
      .string('publickey');
    const unsigned = request.boolean(true).string(certificateAlgorithm).string(certificate).end();
    const signed = new WireWriter().string(this.#inside._kex.sessionID).raw(unsigned).end();
    this.#inside._authsQueue.push('publickey');
    this.transport.send(new WireWriter().raw(unsigned).string(key.sign(signed)).end());
  }

  #offerCertificate(): void {
    const { lists, constructor: Offer } = this.#inside._offer;
    const direction = ({ cipher, mac, compress }: Direction): unknown => ({
      cipher: cipher.array,
      mac: mac.array,
      compress: compress.array,
      lang: [],
    });
    this.#inside._offer = new Offer({
      kex: lists.kex.array,
      serverHostKey: [certificateAlgorithm],
      cs: direction(lists.cs),
      sc: direction(lists.sc),
    });
  }

  #watch(): void {
    const next = this.#inside._onPayload;
    this.#inside._onPayload = (payload) => {
      this.options.onMessage(payload);
      return next(payload);
    };
  }
}

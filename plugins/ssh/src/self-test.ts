import type { Duplex } from 'node:stream';
import { PosternError, type Identity, type Logger } from '@postern/plugin-sdk';
import type { Session } from 'ssh2';
import { acceptedSignatures } from './algorithms.js';
import { Authentication } from './authentication.js';
import { CanaryClient } from './canary-client.js';
import { canaryStreams } from './canary-streams.js';
import { makeCertificate, ThrowawayKey } from './certificate-maker.js';
import { hooks as productionHooks, SshConnection, type Hooks } from './ssh-connection.js';
import type { ChannelInternals, SessionInternals } from './ssh2-internals.js';
import { message, WireReader, WireWriter } from './wire.js';

const deadlineMs = 10_000;
const window = 2 * 1024 * 1024;
const packetSize = 32 * 1024;
const modes = Buffer.from([53, 0xff, 0, 0, 0, 0]);
const silent: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/**
 * Logs in to a server of this very process, with a host and a user certificate,
 * and tries what the guard must stop. It takes some milliseconds, and rejects
 * with what does not work: nobody is served by a library that was exchanged
 * for one that behaves differently.
 */
export async function selfTest(hooks: Hooks = productionHooks): Promise<void> {
  const [near, far] = canaryStreams();
  const canary = new Canary(hooks, near, far);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(broken('the exchange', 'it did not finish')), deadlineMs);
  });
  try {
    await Promise.race([canary.run(), late]);
  } finally {
    clearTimeout(timer);
    near.destroy();
    far.destroy();
  }
}

class Canary {
  readonly #host = new ThrowawayKey();
  readonly #user = new ThrowawayKey();
  readonly #hostCertificate: Buffer;
  readonly #userCertificate: Buffer;
  readonly #received: Buffer[] = [];
  #wake: () => void = () => {};
  #modes: Buffer | undefined;

  constructor(
    private readonly hooks: Hooks,
    private readonly near: Duplex,
    private readonly far: Duplex,
  ) {
    near.once('end', () => this.#wake()).once('close', () => this.#wake());
    const authority = new ThrowawayKey();
    this.#hostCertificate = makeCertificate('host', 'canary', this.#host, authority);
    this.#userCertificate = makeCertificate('user', 'canary', this.#user, authority);
  }

  async run(): Promise<void> {
    const server = this.#serve();
    const client = this.#connect();
    const failed = new Promise<never>((_, reject) => {
      client.client.once('error', (cause) => reject(broken('the host certificate', cause.message)));
    });
    // A later error is the end that the guard makes, and expected.
    failed.catch(() => {});
    const ready = new Promise<void>((resolve) => client.client.once('ready', resolve));
    await Promise.race([Promise.all([server, ready]), failed]);
    await this.#checkSignatures();
    await this.#rekey(client, failed);
    await this.#checkPacketSize(client);
    const channel = await this.#openSession(client);
    await this.#checkModes(client, channel);
    await this.#checkWindow(client, channel, await server);
  }

  async #serve(): Promise<SshConnection> {
    const line = `ssh-ed25519-cert-v01@openssh.com ${this.#hostCertificate.toString('base64')}`;
    const credential = { certificate: line, key: this.#host.text };
    const { hooks } = this;
    const connection = await SshConnection.receive(this.far, { credential, hooks, log: silent, keepaliveMs: 60_000 });
    const verify = ({ blob }: { readonly blob: Buffer }): Promise<Identity> =>
      blob.equals(this.#userCertificate)
        ? Promise.resolve({} as Identity)
        : Promise.reject(broken('the user certificate', 'it was changed on the way'));
    const authentication = new Authentication(connection, { verify, source: '127.0.0.1' }, silent);
    connection.ssh.on('session', (accept) => this.#onSession(connection, accept()));
    const { login } = await authentication.proven;
    if (login !== 'canary' || !authentication.accept()) throw broken('the user certificate', 'it was not accepted');
    return connection;
  }

  #onSession(connection: SshConnection, session: Session): void {
    const channel = (session as unknown as SessionInternals)._chanInfo.incoming.id;
    session.on('pty', () => (this.#modes = connection.guard.takeModes(channel)));
    session.on('exec', (accept) => {
      const accepted = accept() as unknown as ChannelInternals;
      // As if the client had used up all but the last byte.
      accepted.incoming.window = 1;
    });
  }

  #connect(): CanaryClient {
    return CanaryClient.connect(this.near, {
      login: 'canary',
      key: this.#user,
      certificate: this.#userCertificate,
      hostCertificate: this.#hostCertificate,
      hostKey: this.#host.publicKey,
      onMessage: (payload) => {
        this.#received.push(Buffer.from(payload));
        this.#wake();
      },
    });
  }

  async #checkSignatures(): Promise<void> {
    const reader = new WireReader(await this.#next('the announcement of signatures', message.extensionInfo), 1);
    reader.uint32();
    const announced = reader.text() === 'server-sig-algs' ? reader.text() : '';
    if (announced !== acceptedSignatures.join(',')) throw broken('the announcement of signatures', announced);
  }

  async #rekey(client: CanaryClient, failed: Promise<never>): Promise<void> {
    const done = new Promise<void>((resolve) => client.client.once('handshake', () => resolve()));
    client.transport.inside._protocol.rekey();
    await Promise.race([done, failed]);
  }

  async #checkPacketSize({ transport }: CanaryClient): Promise<void> {
    transport.send(openSession(0, 0));
    const answer = await this.#next('the guard', message.channelOpenFailure, message.channelOpenConfirmation);
    if (answer[0] !== message.channelOpenFailure) throw broken('the guard', 'a packet size of zero was accepted');
  }

  async #openSession({ transport }: CanaryClient): Promise<number> {
    transport.send(openSession(1, packetSize));
    const answer = await this.#next('the guard', message.channelOpenFailure, message.channelOpenConfirmation);
    return answer.readUInt32BE(5);
  }

  async #checkModes({ transport }: CanaryClient, channel: number): Promise<void> {
    const request = new WireWriter().byte(message.channelRequest).uint32(channel).string('pty-req').boolean(true);
    for (const field of ['xterm', 80, 24, 0, 0]) {
      if (typeof field === 'string') request.string(field);
      else request.uint32(field);
    }
    transport.send(request.string(modes).end());
    await this.#next('the guard', message.channelSuccess, message.channelFailure);
    if (!this.#modes?.equals(modes)) throw broken('the guard', 'terminal modes were lost');
  }

  async #checkWindow({ transport }: CanaryClient, channel: number, server: SshConnection): Promise<void> {
    const exec = new WireWriter().byte(message.channelRequest).uint32(channel).string('exec').boolean(true);
    transport.send(exec.string('canary').end());
    transport.send(new WireWriter().byte(message.channelData).uint32(channel).string('too much').end());
    transport.send(new WireWriter().byte(message.globalRequest).string('canary').boolean(true).end());
    // Whatever comes after the data is answered only where the data did not end the connection.
    const answered = this.#next('the guard', message.requestFailure).then(
      () => true,
      () => false,
    );
    const ended = new Promise<false>((resolve) =>
      server.transport.over.addEventListener('abort', () => resolve(false), { once: true }),
    );
    if (await Promise.race([answered, ended])) throw broken('the guard', 'data beyond the window was accepted');
  }

  /** The next message of one of these types; the others are passed over. */
  async #next(what: string, ...types: readonly number[]): Promise<Buffer> {
    for (;;) {
      const found = this.#received.findIndex((payload) => types.includes(payload[0] ?? 0));
      const [payload] = found < 0 ? [] : this.#received.splice(0, found + 1).slice(-1);
      if (payload) return payload;
      if (this.near.destroyed || this.near.readableEnded) throw broken(what, 'the connection ended');
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

function openSession(sender: number, maximumPacket: number): Buffer {
  const open = new WireWriter().byte(message.channelOpen).string('session');
  return open.uint32(sender).uint32(window).uint32(maximumPacket).end();
}

const broken = (what: string, detail: string): PosternError =>
  new PosternError('internal', `the self-test of the SSH library failed at ${what}: ${detail}`);

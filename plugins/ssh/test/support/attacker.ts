import assert from 'node:assert/strict';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { CanaryClient } from '../../src/canary-client.js';
import { until } from './until.js';
import { scriptedClient } from './scripted-client.js';
import type { VictimReport, VictimState } from './victim.js';

/** Somebody who is logged in and sends what no client sends. */
export interface Intruder {
  readonly client: CanaryClient;
  readonly socket: Socket;
  /** Everything that the server has sent. */
  readonly received: Buffer[];
  readonly closed: Promise<void>;
  isClosed(): boolean;
}

const maximumRss = 350e6;

/** Waits for a message of this type. */
export const hears = (intruder: Intruder, type: number): Promise<void> =>
  until(`message ${type}`, () => intruder.received.some((payload) => payload[0] === type));

/** A node in another process, and the means to attack it and to see how it fares. */
export class Attack {
  private constructor(
    private readonly child: ChildProcess,
    readonly victim: VictimReport,
  ) {}

  static async start(): Promise<Attack> {
    const path = fileURLToPath(new URL('./victim.ts', import.meta.url));
    const child = fork(path, { execArgv: ['--import=tsx', '--conditions=postern:source'], stdio: 'inherit' });
    const [report] = (await once(child, 'message')) as [VictimReport];
    return new Attack(child, report);
  }

  async state(): Promise<VictimState> {
    const answer = once(this.child, 'message');
    this.child.send('state');
    return ((await answer) as [VictimState])[0];
  }

  connect(): Socket {
    const socket = connect({ host: '127.0.0.1', port: this.victim.port, noDelay: true });
    socket.on('error', () => {});
    return socket;
  }

  async logIn(): Promise<Intruder> {
    const { login, userKey, hostCertificate, hostKey } = this.victim;
    const received: Buffer[] = [];
    const socket = this.connect();
    let over = false;
    const closed = new Promise<void>((resolve) =>
      socket.once('close', () => {
        over = true;
        resolve();
      }),
    );
    const client = scriptedClient(socket, {
      login,
      key: userKey,
      host: { certificate: hostCertificate, key: hostKey },
      onMessage: (payload) => void received.push(Buffer.from(payload)),
    });
    await Promise.race([
      once(client.client, 'ready'),
      closed.then(() => Promise.reject(new Error('the login was refused'))),
    ]);
    return { client, socket, received, closed, isClosed: () => over };
  }

  /**
   * How long a new client waits for its login, in milliseconds: the shortest of
   * three tries, since this process and its machine have other things to do.
   * Rejects where one takes more than five seconds.
   */
  async answers(): Promise<number> {
    let shortest = Infinity;
    for (let attempt = 0; attempt < 3 && shortest > 1_000; attempt += 1)
      shortest = Math.min(shortest, await this.#answer());
    return shortest;
  }

  async #answer(): Promise<number> {
    const started = performance.now();
    const late = sleep(5_000, undefined, { ref: false }).then(() => Promise.reject(new Error('no answer')));
    const intruder = await Promise.race([this.logIn(), late]);
    const waited = performance.now() - started;
    intruder.socket.destroy();
    await intruder.closed;
    return waited;
  }

  /** Fails unless others are served in time, the memory is bounded, and the intruder's session ends with it. */
  async survives(intruder: Intruder): Promise<void> {
    try {
      assert.ok((await this.answers()) < 1_000, 'it does not answer in time');
      const { rss } = await this.state();
      assert.ok(rss < maximumRss, `${Math.round(rss / 1e6)} MB`);
    } finally {
      intruder.socket.destroy();
      await intruder.closed;
    }
    await until('its session has ended', async () => (await this.state()).sessions === 0);
  }

  async stop(): Promise<void> {
    const closed = once(this.child, 'exit');
    this.child.disconnect();
    await closed;
  }
}

import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { conformance, type Harness } from '@postern/plugin-sdk/testing';
import type { ClientChannel } from 'ssh2';
import plugin from '../src/index.js';
import type { Ssh } from '../src/protocol.js';
import { testLogin } from './support/account.js';
import { Authority } from './support/authority.js';
import { answerOf, delivering, loggedIn, scriptedClient, type Answer } from './support/scripted-client.js';
import { trust } from './support/trust.js';
import type { CanaryClient } from '../src/canary-client.js';

/** What the conversations need; made when the kit starts the resource. */
class Stand {
  readonly authority = new Authority();
  readonly host = this.authority.host();
  readonly key: string;
  readonly directory = mkdtempSync(join(tmpdir(), 'postern-ssh-kit-'));
  /** What the node's programs write to: the effect of a session. */
  readonly written = join(this.directory, 'written');

  constructor(readonly login: string) {
    this.key = this.authority.user({ principals: [login] });
    chmodSync(this.directory, 0o755);
    writeFileSync(this.written, '');
    chmodSync(this.written, 0o666);
  }

  close(): void {
    rmSync(this.directory, { recursive: true, force: true });
    this.authority.dispose();
  }
}

let stand: Stand;

const running = async (
  client: CanaryClient,
  start: (done: (cause: unknown, channel: ClientChannel) => void) => void,
): Promise<Answer> => {
  const channel = await new Promise<ClientChannel>((resolve, reject) =>
    start((cause, opened) => (cause instanceof Error ? reject(cause) : resolve(opened))),
  );
  return answerOf(channel);
};

async function withClient(stream: Duplex, use: (client: CanaryClient) => Promise<void>): Promise<void> {
  const client = scriptedClient(delivering(stream), stand);
  try {
    await loggedIn(client);
    await use(client);
  } finally {
    client.client.end();
  }
}

const runsCommand = (stream: Duplex): Promise<void> =>
  withClient(stream, async (client) => {
    const command = `echo effect >> ${stand.written}; echo done; exit 3`;
    const answer = await running(client, (done) => void client.client.exec(command, done));
    if (answer.stdout !== 'done\n' || answer.status !== 3) throw new Error(JSON.stringify(answer));
  });

const wantsShell = (stream: Duplex): Promise<void> =>
  withClient(stream, async (client) => {
    const answer = await running(
      client,
      (done) =>
        void client.client.shell(false, (cause, channel) => {
          channel.end(`echo never >> ${stand.written}\n`);
          done(cause, channel);
        }),
    );
    if (!answer.stderr.includes('postern: access denied') || answer.status !== 254)
      throw new Error(JSON.stringify(answer));
  });

/** Resolves once the words were shown before the login; rejects where the client is let in or hears nothing. */
const isRefused = (stream: Duplex): Promise<void> =>
  new Promise((resolve, reject) => {
    const { client } = scriptedClient(delivering(stream), stand);
    client.once('banner', (text: string) => {
      if (text === 'postern: access denied\r\n') resolve();
      else reject(new Error(text));
    });
    client.once('ready', () => reject(new Error('it was let in'))).once('close', () => reject(new Error('no words')));
  });

const isCut = (stream: Duplex, cut: () => void): Promise<void> =>
  withClient(stream, async (client) => {
    const answer = await running(client, (done) =>
      client.client.exec('sleep 60', (cause, channel) => {
        done(cause, channel);
        cut();
      }),
    );
    if (!answer.stderr.includes('postern: locked by an administrator')) throw new Error(JSON.stringify(answer));
  });

const harness: Harness<Ssh> = {
  upstream: async () => {
    stand = new Stand((await testLogin()).name);
    return { spec: {}, received: () => readFileSync(stand.written), close: async () => stand.close() };
  },
  get access() {
    return { logins: [stand.login], permit: { shell: false } };
  },
  conversation: { connect: runsCommand },
  effect: 'effect',
  forbidden: { connect: wantsShell },
  never: 'never',
  refusal: { connect: isRefused },
  farewell: { connect: isCut },
  opening: 'SSH-2.0-OpenSSH_9.2\r\n',
  patienceMs: 10_000,
  verify: (credential) => trust(stand.authority.publicKey('user-ca'))(credential),
  server: { openSsh: () => Promise.resolve(stand.host) },
  exempt: {
    'tells the client when the resource hangs up': 'the resource is the node on which the session runs',
  },
};

describe('with the node itself', () => conformance(plugin, harness));

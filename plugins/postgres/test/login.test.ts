import assert from 'node:assert/strict';
import type { Duplex } from 'node:stream';
import { FrameReader, PosternError } from '@postern/plugin-sdk';
import { duplexPair } from '@postern/plugin-sdk/testing';
import { logIn, type LoginOptions, type Welcome } from '../src/login.js';
import { postgres } from '../src/protocol.js';
import { startupMessage } from '../src/startup.js';
import { message } from '../src/wire.js';
import { backend } from './support/backend.js';
import { ScramServer } from './support/scram-server.js';

/** A server for one login: says messages, and hears the client's passwords. */
class Server {
  readonly #reader: FrameReader;

  constructor(private readonly stream: Duplex) {
    this.#reader = new FrameReader(stream, 65_536);
  }

  say(...messages: readonly Buffer[]): void {
    this.stream.write(Buffer.concat(messages));
  }

  hangUp(): void {
    this.stream.end();
  }

  async startup(): Promise<Buffer> {
    const length = (await this.#reader.bytes(4)).readUInt32BE();
    return Buffer.from(await this.#reader.bytes(length - 4));
  }

  /** The body of the next `p` message. */
  password(): Promise<Buffer> {
    return this.#body(0x70);
  }

  /** The text of the next query. */
  async query(): Promise<string> {
    return (await this.#body(0x51)).toString().replace('\0', '');
  }

  async #body(type: number): Promise<Buffer> {
    const head = await this.#reader.bytes(5);
    assert.equal(head[0], type);
    return Buffer.from(await this.#reader.bytes(head.readUInt32BE(1) - 4));
  }
}

const ask = { user: 'app', database: 'bench', replication: false };
const ok = backend.authentication(0);
const welcome = [backend.status('server_version', '15.1'), backend.keyData(7, 8), backend.ready()];
const mechanisms = (...names: string[]): Buffer => backend.authentication(10, Buffer.from(`${names.join('\0')}\0\0`));

/** Logs in at a server that follows a script. */
async function login(
  auth: Readonly<Record<string, unknown>>,
  script: (server: Server) => Promise<void> | void,
  more: Partial<LoginOptions> = {},
): Promise<Welcome> {
  const [ours, theirs] = duplexPair();
  const server = new Server(theirs);
  const spec = postgres.auth.resource.parse({ host: 'x', auth: { secret: 's', ...auth } });
  const options: LoginOptions = {
    startup: startupMessage(ask, new Map()),
    user: 'app',
    auth: spec.auth,
    password: 'pencil',
    binding: undefined,
    encrypted: true,
    ...more,
  };
  const played = server
    .startup()
    .then(() => script(server))
    .catch(() => theirs.destroy());
  try {
    return await logIn(ours, options);
  } finally {
    ours.destroy();
    await played;
  }
}

/** A server that lets in whoever proves the password by SCRAM. */
const scram =
  (known = 'pencil', proof: (right: string) => string = (right) => right) =>
  async (server: Server): Promise<void> => {
    const exchange = new ScramServer(known);
    server.say(mechanisms('SCRAM-SHA-256'));
    const first = (await server.password()).toString();
    server.say(backend.authentication(11, Buffer.from(exchange.first(first.slice(first.indexOf('\0') + 5)))));
    const answer = exchange.final((await server.password()).toString());
    if (answer === undefined) return server.say(backend.error('28P01', 'password authentication failed', 'FATAL'));
    server.say(backend.authentication(12, Buffer.from(proof(answer))), ok, ...welcome);
  };

const password = { method: 'password' };

async function refusal(promise: Promise<unknown>): Promise<PosternError> {
  const outcome = await promise.then(
    () => assert.fail('the login succeeded'),
    (cause: unknown) => cause,
  );
  assert.ok(PosternError.is(outcome), String(outcome));
  return outcome;
}

describe('a login at the database', () => {
  it('keeps what the client shall hear, and the key to itself', async () => {
    const notice = backend.notice('hello');
    const result = await login({ method: 'trust' }, (server) =>
      server.say(ok, notice, ...welcome, backend.notification),
    );
    assert.equal(result.method, 'trust');
    assert.equal(result.serverVersion, '15.1');
    assert.deepEqual(result.messages, Buffer.concat([notice, backend.status('server_version', '15.1')]));
    assert.deepEqual(result.key, Buffer.from([0, 0, 0, 7, 0, 0, 0, 8]));
    assert.deepEqual(result.ready, backend.ready());
    assert.deepEqual(result.rest, backend.notification);
  });

  it('has a server that can look whether we are still there do so', async () => {
    for (const [version, asked] of [
      ['15.1 (Debian)', true],
      ['14beta1', true],
      ['13.9', false],
      ['9.6', false],
    ] as const) {
      const heard: string[] = [];
      const script = async (server: Server): Promise<void> => {
        server.say(ok, backend.status('server_version', version), backend.ready());
        if (!asked) return;
        heard.push(await server.query());
        server.say(backend.error('22023', 'not on this platform'), backend.ready());
      };
      const { ready } = await login({ method: 'trust' }, script, { checkIntervalMs: 1000 });
      assert.deepEqual(heard, asked ? ['SET client_connection_check_interval = 1000'] : []);
      assert.deepEqual(ready, backend.ready());
    }
  });

  it('proves the password by SCRAM', async () => {
    assert.equal((await login(password, scram())).method, 'scram-sha-256');
  });

  it('proves it by md5 where the resource accepts that', async () => {
    const result = await login({ ...password, accept: ['md5'] }, async (server) => {
      server.say(backend.authentication(5, Buffer.from([1, 2, 3, 4])));
      assert.equal((await server.password()).toString(), 'md54bfca4ca571b8df74c2fc2247888d96f\0');
      server.say(ok, ...welcome);
    });
    assert.equal(result.method, 'md5');
  });

  it('sends it in clear where the resource accepts that, over TLS alone', async () => {
    const clear = { ...password, accept: ['cleartext'] };
    const script = async (server: Server): Promise<void> => {
      server.say(backend.authentication(3));
      assert.equal((await server.password()).toString(), 'pencil\0');
      server.say(ok, ...welcome);
    };
    assert.equal((await login(clear, script)).method, 'cleartext');
    assert.equal((await refusal(login(clear, script, { encrypted: false }))).code, 'upstream_auth');
  });

  it('a server that asks for md5 instead of SCRAM gets nothing', async () => {
    const asked = (server: Server): Promise<void> => {
      server.say(backend.authentication(5, Buffer.alloc(4)));
      return server.password().then(() => assert.fail('it got an answer'));
    };
    const { message: words } = await refusal(login(password, asked));
    assert.match(words, /as md5, which the resource does not accept/);
  });

  it('a server that asks for the password in clear gets nothing', async () => {
    const asked = (server: Server): void => server.say(backend.authentication(3));
    assert.match((await refusal(login(password, asked))).message, /as cleartext/);
  });

  it('a server that cannot prove itself is not believed', async () => {
    const forged = scram('pencil', () => `v=${Buffer.alloc(32).toString('base64')}`);
    assert.match((await refusal(login(password, forged))).message, /wrong server signature/);
  });

  it('a server that lets us in before it has proved itself is not believed', async () => {
    const hasty = async (server: Server): Promise<void> => {
      server.say(mechanisms('SCRAM-SHA-256'));
      await server.password();
      server.say(ok, ...welcome);
    };
    assert.match((await refusal(login(password, hasty))).message, /did not prove/);
  });

  it('a server that lets us in without a word is not believed where it should ask', async () => {
    const { message } = await refusal(login(password, (server) => server.say(ok, ...welcome)));
    assert.match(message, /asks for no password/);
  });

  it('a server that asks twice gets one answer', async () => {
    const greedy = (server: Server): void =>
      server.say(mechanisms('SCRAM-SHA-256'), backend.authentication(5, Buffer.alloc(4)));
    assert.match(
      (await refusal(login({ ...password, accept: ['scram-sha-256', 'md5'] }, greedy))).message,
      /second proof/,
    );
  });

  it('the password is in no error, even where the server repeats it', async () => {
    const parrot = async (server: Server): Promise<void> => {
      server.say(backend.authentication(3));
      const said = (await server.password()).toString().replace('\0', '');
      server.say(backend.error('28P01', `wrong password "${said}"`, 'FATAL'));
    };
    const { message, publicMessage } = await refusal(login({ ...password, accept: ['cleartext'] }, parrot));
    assert.equal(publicMessage, 'wrong password "[secret]"');
    assert.doesNotMatch(message, /pencil/);
  });

  it('says so where the server wants a password and there is none', async () => {
    const asked = (server: Server): void => server.say(mechanisms('SCRAM-SHA-256'));
    const { message } = await refusal(login({ method: 'certificate' }, asked, { password: undefined }));
    assert.match(message, /instead of accepting the certificate/);
  });

  it('fails in the words of the server', async () => {
    const { message, publicMessage } = await refusal(login(password, scram('eraser')));
    assert.equal(publicMessage, 'password authentication failed');
    assert.match(message, /28P01/);
  });

  for (const [name, code, script] of [
    ['offers nothing that we know', 'upstream_auth', (server) => server.say(mechanisms('SCRAM-SHA-512'))],
    ['wants Kerberos', 'upstream_auth', (server) => server.say(backend.authentication(2))],
    ['hangs up', 'protocol_violation', (server) => server.hangUp()],
    [
      'speaks something else',
      'upstream_unreachable',
      (server) => server.say(Buffer.from('HTTP/1.1 400 Bad Request\r\n')),
    ],
    ['sends rows', 'upstream_unreachable', (server) => server.say(ok, backend.row('1'))],
    ['announces a gigabyte', 'upstream_unreachable', (server) => server.say(Buffer.from('R\x40\0\0\0'))],
    [
      'never ends its notices',
      'upstream_unreachable',
      (server) => server.say(...Array<Buffer>(1001).fill(backend.notice('n'))),
    ],
    ['continues what never began', 'upstream_unreachable', (server) => server.say(backend.authentication(12))],
    [
      'hands out a key that is too short',
      'upstream_unreachable',
      (server) => server.say(ok, message('K', Buffer.alloc(4))),
    ],
  ] as const satisfies readonly (readonly [string, string, (server: Server) => void])[])
    it(`fails where the server ${name}`, async () => {
      assert.equal((await refusal(login({ method: 'certificate' }, script))).code, code);
    });
});

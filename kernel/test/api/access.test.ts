import assert from 'node:assert/strict';
import { PosternError } from '@postern/plugin-sdk';
import type { ApiClient } from '../../src/api/api-client.js';
import * as contract from '../../src/api/contract/index.js';
import type { TestCluster } from '../../../test/support/cluster.js';
import { startLines } from '../cluster/line-world.js';

type Input = Readonly<Record<string, unknown>>;

interface Level {
  /** `public`, `user`, `proxy`, or the verb and the kind that a rule must name. */
  readonly level: string;
  /** Something to send: about things that there are not, so that nothing changes. */
  readonly input?: Input;
  /** Whether it is about the caller's own self, and so not for the administrator. */
  readonly own?: boolean;
}

const missing = { name: 'missing' };
const address = '192.0.2.1';
const line = { kind: 'lines', ...missing };

/** Who may call what. Whoever adds an endpoint decides here, once more, who may call it. */
const levels: Readonly<Record<string, Level>> = {
  getCluster: { level: 'public' },
  getKeySet: { level: 'public' },
  login: {
    level: 'public',
    input: { user: 'missing', password: 'missing', tlsPublicKey: '-', sshPublicKey: '-' },
  },
  getInvite: { level: 'public', input: { token: 'missing' } },
  acceptInvite: { level: 'public', input: { token: 'missing', password: 'correct horse battery' } },
  addDevice: { level: 'public', input: { user: 'missing', password: 'missing', device: 'missing' } },
  confirmDevice: { level: 'public', input: { user: 'missing', token: 'missing', code: '000000' } },
  removeDevice: { level: 'public', input: { user: 'missing', password: 'missing', device: 'missing' } },
  getStatus: { level: 'user' },
  listDevices: { level: 'user', own: true },
  getMe: { level: 'user', own: true },
  getAuthority: { level: 'user', input: { kind: 'db' } },
  listResources: { level: 'user', own: true },
  listSessions: { level: 'user' },
  listRecordings: { level: 'user' },
  getRecordingFile: { level: 'user', input: { session: 'missing', recording: '1', file: 'missing' } },
  searchEvents: { level: 'list audit' },
  tailEvents: { level: 'list audit' },
  getCheckpoint: { level: 'read audit' },
  listAuthorities: { level: 'list authority' },
  rotateAuthority: { level: 'update authority', input: { kind: 'user', step: 'rollback' } },
  certifyDatabaseServer: { level: 'create authority', input: { names: ['elsewhere.example'], publicKey: '-' } },
  listDocuments: { level: 'list document', input: { kind: 'lines' } },
  getDocument: { level: 'read document', input: line },
  putDocument: { level: 'update document', input: { ...line, document: { kind: 'lines', name: 'another' } } },
  deleteDocument: { level: 'delete document', input: line },
  explainAccess: { level: 'read role', input: { ...line, user: 'missing', ask: {} } },
  listLocks: { level: 'list lock' },
  createLock: { level: 'create lock', input: { target: {} } },
  deleteLock: { level: 'delete lock', input: { id: 'missing' } },
  endSession: { level: 'delete session', input: { id: 'missing' } },
  listUsers: { level: 'list user' },
  createUser: { level: 'create user', input: { name: 'missing', roles: ['missing'] } },
  updateUser: { level: 'update user', input: missing },
  resetUser: { level: 'update user', input: missing },
  unlockUser: { level: 'update user', input: missing },
  deleteUser: { level: 'delete user', input: missing },
  beginWebSession: { level: 'proxy', input: { user: 'missing', password: 'missing', address } },
  getWebSession: { level: 'proxy', input: { cookie: 'missing', address } },
  endWebSession: { level: 'proxy', input: { cookie: 'missing', address } },
  listWebResources: { level: 'proxy', input: { cookie: 'missing', address } },
  certifyWebSession: { level: 'proxy', input: { ...line, cookie: 'missing', publicKey: '-', address } },
  createAppCode: { level: 'proxy', input: { ...line, cookie: 'missing', nonce: 'missing', address } },
  redeemAppCode: { level: 'proxy', input: { ...line, code: 'missing', nonce: 'missing', address } },
  getAppSession: { level: 'proxy', input: { ...line, cookie: 'missing', address } },
  followWebSessions: { level: 'proxy' },
};

/** Where a caller proves who he is by what is asked, and not by a certificate. */
const proving = new Set(['login', 'addDevice', 'confirmDevice', 'removeDevice']);

const endpoints = new Map(
  Object.entries(contract).flatMap(([name, value]) =>
    'method' in value && 'path' in value ? [[name, value as contract.Endpoint] as const] : [],
  ),
);

const stated = ({ access }: contract.Endpoint): string =>
  typeof access === 'string' ? access : `${access.verb} ${access.kind}`;

const rules = [...new Set(Object.values(levels).map(({ level }) => level))].filter((level) => level.includes(' '));
const words: Readonly<Record<string, string>> = { public: 'everybody', user: 'users', proxy: 'proxies alone' };
const nameOf = (rule: string): string => rule.replace(' ', '-');

describe('the right to call the API', () => {
  let cluster: TestCluster;
  const clients = new Map<string, ApiClient>();

  before(async function () {
    this.timeout(30_000);
    const roles = rules.map((rule) => {
      const [verb, kind] = rule.split(' ');
      return { name: nameOf(rule), allow: { rules: [{ kinds: [kind], verbs: [verb] }] } };
    });
    const nothing = { name: 'nothing', allow: {} };
    const names = [...roles, nothing].map(({ name }) => name);
    cluster = await startLines({
      roles: [...roles, nothing],
      users: Object.fromEntries(names.map((name) => [name, { roles: [name] }])),
    });
    const open = async (name: string): Promise<void> => void clients.set(name, cluster.api(await cluster.login(name)));
    await Promise.all(names.map(open));
    clients.set('anonymous', cluster.api());
    clients.set('administrator', cluster.admin);
    // Connections are opened by the first call.
    await Promise.all([...clients.values()].map((client) => client.call(contract.getCluster, {})));
  });
  after(() => cluster[Symbol.asyncDispose]());

  /** `unauthenticated` or `access_denied`, or `in` where it came to what was asked. */
  async function called(who: string, name: string): Promise<string> {
    const [client, endpoint] = [clients.get(who), endpoints.get(name)];
    assert.ok(client && endpoint);
    const input = (levels[name]?.input ?? {}) as never;
    try {
      if (endpoint.delivery === 'stream') for await (const _ of client.stream(endpoint, input)) break;
      else if (endpoint.delivery === 'bytes') (await client.bytes(endpoint, input)).resume();
      else await client.call(endpoint, input);
      return 'in';
    } catch (cause) {
      const { code, message } = PosternError.from(cause);
      assert.notEqual(code, 'internal', message);
      assert.doesNotMatch(message, /\bat .*\.(ts|js):\d+|node_modules|node:internal/);
      // Whoever is not who they say they are has come to what was asked.
      if (proving.has(name)) return code === 'access_denied' ? code : 'in';
      return ['unauthenticated', 'access_denied'].includes(code) ? code : 'in';
    }
  }

  it('is stated for every endpoint of the contract, and here, and is the same', () => {
    const declared = Object.fromEntries([...endpoints].map(([name, endpoint]) => [name, stated(endpoint)]));
    const expected = Object.fromEntries(Object.entries(levels).map(([name, { level }]) => [name, level]));
    assert.deepEqual(declared, expected);
  });

  it('is described for every endpoint in the OpenAPI document that the cluster serves', async () => {
    const open = { ...contract.getCluster, path: '/v1/openapi.json' };
    const answer = await (await clients.get('anonymous')?.bytes(open, {}))?.toArray();
    const { paths } = JSON.parse(Buffer.concat(answer as Buffer[]).toString('utf8')) as {
      paths: Record<string, Record<string, { security?: unknown; 'x-postern-rule'?: unknown }>>;
    };
    for (const { path, method, access } of endpoints.values()) {
      const found = paths[path]?.[method.toLowerCase()];
      assert.ok(found, `${method} ${path}`);
      assert.deepEqual(found.security, access === 'public' ? undefined : [{ certificate: [] }]);
      assert.deepEqual(found['x-postern-rule'], typeof access === 'string' ? undefined : access);
    }
    const described = Object.values(paths).flatMap((methods) => Object.keys(methods)).length;
    assert.equal(described, endpoints.size);
  });

  it('leaves one event a minute where it is not had, however often it is asked for', async () => {
    const denials = async () =>
      (await cluster.events({ types: ['api.denied'], user: 'nothing' })).filter(
        ({ fields }) => fields['kind'] === 'user' && fields['verb'] === 'list',
      );
    cluster.clock.advance(61_000);
    const before = (await denials()).length;
    const ask = () => called('nothing', 'listUsers');
    assert.deepEqual(await Promise.all([ask(), ask(), ask()]), Array(3).fill('access_denied'));
    const [told, ...more] = (await denials()).slice(before);
    assert.deepEqual(more, []);
    assert.equal(told?.fields['code'], 'access_denied');
    assert.match(String(told.fields['message']), /list/);
    cluster.clock.advance(61_000);
    await ask();
    assert.equal((await denials()).length, before + 2);
  });

  for (const [name, { level, own = false }] of Object.entries(levels))
    it(`is had for ${name} by ${words[level] ?? `a rule to ${level}`}`, async () => {
      const expected = (who: string): string => {
        if (level === 'public') return 'in';
        if (who === 'anonymous') return 'unauthenticated';
        if (level === 'proxy') return 'access_denied';
        if (who === 'administrator') return own ? 'unauthenticated' : 'in';
        return level === 'user' || who === nameOf(level) ? 'in' : 'access_denied';
      };
      // Logins are limited.
      const callers = name === 'login' ? ['anonymous', 'nothing', 'administrator'] : [...clients.keys()];
      const answers = await Promise.all(callers.map(async (who) => [who, await called(who, name)] as const));
      assert.deepEqual(Object.fromEntries(answers), Object.fromEntries(callers.map((who) => [who, expected(who)])));
    });
});

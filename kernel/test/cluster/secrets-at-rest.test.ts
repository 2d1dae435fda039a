import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createUser } from '../../src/api/contract/index.js';
import { testPassword, type TestCluster } from '../../../test/support/cluster.js';
import { hello } from './line-client.js';
import { endOf, sessionOf, startLines } from './line-world.js';

const canary = 'canary-7f3a9c41-of-the-agent';

/** How a PKCS#8 private key begins, in DER: P-256 and Ed25519. */
const privateKeyHeads = [
  '308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b0201010420',
  '302e020100300506032b657004220420',
].map((hex) => Buffer.from(hex, 'hex'));

/** What the bytes look like where somebody wrote them down as they are, in hexadecimal or in base 64 from any of its offsets. */
function written(secret: Buffer): Buffer[] {
  const inBase64 = [0, 1, 2].map((offset) => {
    const text = Buffer.concat([Buffer.alloc(offset), secret]).toString('base64');
    // The first and the last letters are also those of their neighbours.
    return Buffer.from(text.slice(offset === 0 ? 0 : 4, -4));
  });
  return [secret, Buffer.from(secret.toString('hex')), ...inBase64];
}

describe('what a thief of the data directory and of the logs finds', () => {
  let directory: string;
  let cluster: TestCluster;
  /** Everything that the process has written, by where. */
  const found = new Map<string, Buffer>();
  const secrets = new Map<string, Buffer>();

  before(async function () {
    this.timeout(30_000);
    directory = await mkdtemp(join(tmpdir(), 'postern-secrets-'));
    await writeFile(join(directory, 'canary'), `${canary}\n`);
    const data = join(directory, 'cluster');
    const configuration = { agent: { secrets: { canary: { file: join(directory, 'canary') } } } };
    cluster = await startLines({ data, configuration });
    const { token } = await cluster.admin.call(createUser, { name: 'ben', roles: ['reader'], traits: {} });
    const login = await cluster.login('ann');
    const [client] = await hello(cluster, login);
    const session = await sessionOf(client);
    assert.equal(await client.ask('secret canary'), `ok ${canary}`);
    assert.equal(await client.ask('secret nothing'), 'error invalid_config');
    for (const command of ['become reader', 'login reader', 'assert somebody'])
      assert.match((await client.ask(command)) ?? '', /^ok /);
    await client.send('fail in the middle');
    await endOf(cluster, session);
    client[Symbol.dispose]();
    secrets.set('the secret of the agent', Buffer.from(canary));
    secrets.set('the password', Buffer.from(testPassword));
    secrets.set('the token of an invitation', Buffer.from(token.slice(-16)));
    privateKeyHeads.forEach((head, index) => secrets.set(`a private key (${index})`, head));
    secrets.set('a private key in PEM', Buffer.from('PRIVATE KEY'));
    found.set('the log of the process', Buffer.from(JSON.stringify(cluster.log)));
    found.set('the events', Buffer.from(JSON.stringify(await cluster.events())));
    // Both while it runs, with what SQLite has not put in its place yet, and after its end.
    await readAll('running', data);
    await cluster[Symbol.asyncDispose]();
    await readAll('stopped', data);
  });
  after(() => rm(directory, { recursive: true, force: true }));

  async function readAll(when: string, data: string): Promise<void> {
    for (const entry of await readdir(data, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (entry.isFile()) found.set(`${when}: ${path}`, await readFile(path).catch(gone));
    }
  }

  /** A file in the making has its own name a moment later; what is in it is found then. */
  function gone(cause: NodeJS.ErrnoException): Buffer {
    if (cause.code === 'ENOENT') return Buffer.alloc(0);
    throw cause;
  }

  const placesOf = (secret: Buffer): readonly string[] =>
    [...found].flatMap(([where, bytes]) => (written(secret).some((form) => bytes.includes(form)) ? [where] : []));

  it('is what this search can find: names, public keys and certificates', () => {
    for (const known of [/cluster\.db(-wal)?$/, /log/])
      assert.ok(placesOf(Buffer.from('reader')).some((where) => known.test(where)));
    assert.ok(placesOf(Buffer.from('BEGIN CERTIFICATE')).length > 0);
  });

  it('is none of the secrets', () => {
    assert.equal(secrets.size, 6);
    for (const [name, secret] of secrets) assert.deepEqual(placesOf(secret), [], name);
  });

  it('is the wrapping key in one file alone, which is not the store', () => {
    const [[, key] = []] = [...found].filter(([where]) => where.endsWith('wrapping.key'));
    assert.ok(key && key.length >= 32);
    const raw = key.toString('latin1').trim();
    const places = placesOf(Buffer.from(raw, 'latin1')).map((where) => where.split('/').at(-1));
    assert.deepEqual(new Set(places), new Set(['wrapping.key']));
  });
});

import assert from 'node:assert/strict';
import http2 from 'node:http2';
import net from 'node:net';
import { listUsers } from '../../src/api/contract/index.js';
import type { TestCluster } from '../../../test/support/cluster.js';
import { startLines } from '../cluster/line-world.js';

interface Answer {
  readonly status: number;
  readonly code: string | undefined;
  readonly message: string;
}

describe('a request that is malformed', () => {
  let cluster: TestCluster;
  let session: http2.ClientHttp2Session;
  before(async () => {
    cluster = await startLines();
    const path = cluster.running.state.directory.adminSocket;
    session = http2.connect('http://localhost', { createConnection: () => net.connect(path) });
    await send('GET', '/v1/cluster');
  });
  after(async () => {
    await new Promise<void>((resolve) => session.close(resolve));
    await cluster[Symbol.asyncDispose]();
  });

  /** As the machine's administrator, who is refused nothing else. */
  async function send(method: string, path: string, body?: string, type = 'application/json'): Promise<Answer> {
    const stream = session.request({
      ':method': method,
      ':path': path,
      ...(body !== undefined && type !== '' && { 'content-type': type }),
    });
    stream.end(body);
    const status = new Promise<number>((resolve, reject) => {
      stream.once('error', reject);
      stream.once('response', (headers) => resolve(Number(headers[':status'])));
    });
    const text = Buffer.concat((await stream.toArray()) as Buffer[]).toString('utf8');
    assert.doesNotMatch(text, /\bat \S+ \(|node_modules|node:internal|\.ts:\d+/);
    const { error } = JSON.parse(text || '{}') as { error?: { code: string; message: string } };
    return { status: await status, code: error?.code, message: error?.message ?? '' };
  }

  const nested = (depth: number): string => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
  const user = { name: 'zoe', roles: ['reader'] };
  const document = (more: string): string => `{"document":{"kind":"lines","name":"two","labels":{},"spec":{}${more}}}`;
  const put = ['PUT', '/v1/documents/lines/two'] as const;

  const cases: readonly (readonly [string, () => Promise<Answer>, number, RegExp])[] = [
    ['no JSON', () => send('POST', '/v1/users', '{"name":'), 400, /not JSON/],
    ['a list', () => send('POST', '/v1/users', '[]'), 400, /must be a JSON object/],
    ['null', () => send('POST', '/v1/users', 'null'), 400, /must be a JSON object/],
    [
      'a form',
      () => send('POST', '/v1/users', 'name=zoe', 'application/x-www-form-urlencoded'),
      400,
      /application\/json/,
    ],
    ['JSON called text', () => send('POST', '/v1/users', JSON.stringify(user), 'text/plain'), 400, /application\/json/],
    ['JSON called nothing', () => send('POST', '/v1/users', JSON.stringify(user), ''), 400, /application\/json/],
    ['an unknown member', () => send('POST', '/v1/users', JSON.stringify({ ...user, admin: true })), 400, /admin/],
    ['an unknown parameter', () => send('GET', '/v1/users?sort=name'), 400, /sort/],
    ['another name in the body', () => send('PUT', '/v1/users/ann', '{"name":"zoe","disabled":true}'), 400, /address/],
    ['a member of a wrong type', () => send('POST', '/v1/users', '{"name":"zoe","roles":"reader"}'), 400, /roles/],
    ['a name with a path in it', () => send('POST', '/v1/users', '{"name":"../zoe","roles":["reader"]}'), 400, /name/],
    [
      'a prototype',
      () => send('POST', '/v1/users', '{"__proto__":{"name":"zoe"},"roles":["reader"]}'),
      400,
      /__proto__/,
    ],
    ['a prototype inside', () => send(...put, document(',"labels":{"__proto__":{"a":"b"}}')), 400, /__proto__/],
    ['too deep a document', () => send(...put, document(`,"note":${nested(100)}`)), 400, /64 levels/],
    ['far too deep a document', () => send(...put, document(`,"note":${nested(100_000)}`)), 400, /64 levels/],
    ['too large a body', () => send('POST', '/v1/users', `{"name":"${'z'.repeat(1_100_000)}"}`), 413, /1048576 bytes/],
    ['a number out of bounds', () => send('GET', '/v1/audit/events?limit=1e9'), 400, /limit/],
    ['a cursor of its own', () => send('GET', '/v1/audit/events?cursor=-1'), 400, /cursor/],
    ['an unknown path', () => send('GET', '/v1/passwords'), 404, /no part of the API/],
    ['a path above the API', () => send('GET', '/v1/../etc/passwd'), 404, /no part of the API/],
    ['an unknown method', () => send('PATCH', '/v1/users', '{}'), 404, /no part of the API/],
    ['a broken escape', () => send('DELETE', '/v1/users/%zz'), 400, /name/],
    [
      'a file outside of a recording',
      () => send('GET', '/v1/recordings/x/1/..%2F..%2Fkeys%2Fwrapping.key'),
      404,
      /no recording/,
    ],
  ];

  for (const [name, ask, status, message] of cases)
    it(`is refused in words, and as no fault of ours, where it has ${name}`, async () => {
      const answer = await ask();
      assert.equal(answer.status, status, answer.message);
      assert.match(answer.message, message);
      assert.ok(['invalid_argument', 'limit_exceeded', 'not_found'].includes(answer.code ?? ''));
    });

  it('has changed nothing, and nobody was woken for it', async () => {
    const users = await cluster.admin.call(listUsers, {});
    assert.deepEqual(
      users.map(({ name, disabled }) => [name, disabled]),
      [['ann', false]],
    );
    assert.deepEqual(
      cluster.log.filter(({ level }) => level === 'error'),
      [],
    );
    assert.equal((Object.prototype as Record<string, unknown>)['a'], undefined);
  });
});

import { TestCluster, until, type TestClusterOptions } from '../../../test/support/cluster.js';
import type { AuditEvent } from '../../src/audit/index.js';
import type { LineClient } from './line-client.js';
import { linePlugin } from './line-protocol.js';

/** A role that lets its holders be `reader` everywhere, and what it says beside that. */
export const reader = (name = 'reader', more: Readonly<Record<string, unknown>> = {}) => ({
  name,
  allow: { lines: { labels: { '*': '*' }, users: ['reader'] } },
  ...more,
});

/** A cluster that speaks lines, with one resource and one user, `ann`, unless told otherwise. */
export const startLines = (options: Partial<TestClusterOptions> = {}): Promise<TestCluster> =>
  TestCluster.start({
    plugins: [linePlugin()],
    roles: [reader()],
    resources: [{ kind: 'lines', name: 'one', labels: { env: 'test' } }],
    users: { ann: { roles: ['reader'] } },
    ...options,
  });

/** The events of one connection, by the id that its session says. */
export async function sessionOf(client: LineClient): Promise<string> {
  return ((await client.ask('id')) ?? '').replace(/^ok /, '');
}

/** What a session's end says, once it is there. */
export const endOf = (cluster: TestCluster, session: string): Promise<AuditEvent> =>
  cluster.event({ session, types: ['session.end'] });

/** How many events of some types there are. */
export const count = async (cluster: TestCluster, ...types: readonly string[]): Promise<number> =>
  (await cluster.events({ types })).length;

/** What the proxy answers at `/readyz`. */
export async function readyz(cluster: TestCluster): Promise<{ readonly status: number; readonly body: string }> {
  const stream = await cluster.connect('', '', undefined, { hostname: cluster.cluster, alpn: ['http/1.1'] });
  stream.end(`GET /readyz HTTP/1.1\r\nHost: ${cluster.cluster}\r\nConnection: close\r\n\r\n`);
  const chunks: string[] = [];
  for await (const chunk of stream) chunks.push(String(chunk));
  const [head = '', body = ''] = chunks.join('').split('\r\n\r\n');
  return { status: Number(head.split(' ')[1]), body };
}

/** All that a client hears until its connection ends. */
export async function heard(client: LineClient): Promise<readonly string[]> {
  const lines: string[] = [];
  for (let line = await client.next(); line !== undefined; line = await client.next()) lines.push(line);
  return lines;
}

/** Waits until no session is left in the process. */
export const quiet = (cluster: TestCluster): Promise<void> =>
  until(async () => (await count(cluster, 'session.start')) === (await count(cluster, 'session.end')));

import fs from 'node:fs';
import {
  AgentTable,
  PublicPort,
  Router,
  TunnelServer,
  type PortLimits,
  type ProxyHalf,
  type ServiceTls,
} from '../../src/tunnels/index.js';
import { captureBuffers } from './capture-buffers.js';
import { silentLog } from './port-fixture.js';

/** What the test writes to this program's standard input, as one line of JSON. */
export interface ProxyProcessOptions {
  readonly cluster: string;
  readonly tls?: ServiceTls;
  /** Gets every buffer that any socket of this process reads or writes. */
  readonly dump?: string;
  /** URL of a module that exports `halves`: the openings that this proxy knows besides its own. */
  readonly halves?: string;
  readonly limits?: Partial<PortLimits>;
}

/** What it prints: one line of JSON when it listens, and one for each line `stats` that it is sent. */
export interface ProxyProcessReport {
  readonly port: number;
  readonly rss: number;
  readonly unclassified: number;
  readonly agents: readonly string[];
  /** By reason. */
  readonly refusals: Readonly<Record<string, { readonly events: number; readonly connections: number }>>;
}

async function halvesOf(url: string | undefined): Promise<readonly ProxyHalf[]> {
  if (url === undefined) return [];
  return ((await import(url)) as { readonly halves: readonly ProxyHalf[] }).halves;
}

async function main(options: ProxyProcessOptions): Promise<() => ProxyProcessReport> {
  if (options.dump !== undefined) {
    const file = fs.openSync(options.dump, 'a');
    captureBuffers((data) => fs.writeSync(file, data));
  }
  const refusals: Record<string, { events: number; connections: number }> = {};
  const refused = (event: { readonly reason: string; readonly count?: number }): void => {
    const sum = (refusals[event.reason] ??= { events: 0, connections: 0 });
    sum.events += 1;
    sum.connections += event.count ?? 1;
  };
  const table = new AgentTable();
  const server =
    options.tls &&
    new TunnelServer({
      tls: options.tls,
      table,
      log: silentLog,
      refused,
      identify: async (certificate) => ({ id: certificate.subject, serves: () => true }),
    });
  const port = await PublicPort.listen(
    {
      router: new Router({ cluster: options.cluster, isKind: () => true }),
      halves: await halvesOf(options.halves),
      services: server ? { tunnel: server.dialer } : {},
      agents: table,
      redeem: (ticket, socket) => server?.redeem(ticket, socket) ?? false,
      refused,
      ...(options.limits && { limits: options.limits }),
    },
    { host: '127.0.0.1', port: 0 },
  );
  return () => ({
    port: port.address.port,
    rss: process.memoryUsage().rss,
    unclassified: port.unclassified,
    agents: server?.agents ?? [],
    refusals,
  });
}

let report: Promise<() => ProxyProcessReport> | undefined;
let pending = '';
process.stdin.setEncoding('utf8').on('data', (text: string) => {
  pending += text;
  const lines = pending.split('\n');
  pending = lines.pop() ?? '';
  for (const line of lines) {
    report ??= main(JSON.parse(line) as ProxyProcessOptions);
    void report.then((now) => {
      globalThis.gc?.();
      process.stdout.write(`${JSON.stringify(now())}\n`);
    });
  }
});
// Whoever started this program has gone.
process.stdin.on('end', () => process.exit(0));

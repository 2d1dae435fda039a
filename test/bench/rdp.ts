import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import tls from 'node:tls';
import type { Duplex } from 'node:stream';
import {
  desktopPassword,
  FakeDesktop,
  picture,
  type FakeConnection,
} from '../../plugins/rdp/test/support/fake-desktop.js';
import { ScriptedClient } from '../../plugins/rdp/test/support/scripted-client.js';
import { interleave, measured, type Effort, type Path } from './interleave.js';
import { residentKilobytes } from './processor-time.js';
import { RelayedService } from './relayed-service.js';
import { median, medianRatio, printTable } from './table.js';

interface RdpPath extends Path {
  connect(): Promise<Duplex>;
}

/** Pictures in a second of a moving one, and what each consists of: 82 kB in four updates. */
const framesPerSecond = 25;
const frame = [0, 1, 2, 3].map((part) => picture(part * 72, 0, 72, 0x204060 + part));

/** Idle sessions at once, after as many that have warmed everything up. */
const idleSessions = 20;

/**
 * Keys that are answered by a picture, a moving picture, and sessions in which
 * nothing happens. The desktop is a program of the tests, so that its own work
 * is small and the same; Postern logs in, reads every unit and records.
 */
export async function rdp({ rounds, seconds }: Effort): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'postern-bench-rdp-'));
  try {
    const secret = join(directory, 'secret');
    await writeFile(secret, `${desktopPassword}\n`, { mode: 0o600 });
    const shown = new Set<FakeConnection>();
    await using desktop = await FakeDesktop.start({ onActive: (connection) => void shown.add(connection) });
    const { host: _host, port: _port, ...spec } = desktop.spec();
    await using site = await RelayedService.start({
      ...{ kind: 'rdp', allow: { logins: ['*'] }, port: desktop.port, spec },
      agent: { secrets: { desktop: { file: secret } } },
    });
    const paths = await pathsOf(site, desktop.port);
    await keys(paths, { rounds, seconds });
    await movingPicture(paths, shown, { rounds, seconds });
    await idle(paths);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function pathsOf(site: RelayedService, direct: number): Promise<readonly RdpPath[]> {
  const { port, sni: servername, ...files } = await site.credentials('rdp');
  const [cert, key] = await Promise.all([readFile(files.certificate), readFile(files.key)]);
  const secured = { host: '127.0.0.1', rejectUnauthorized: false };
  return [
    { name: 'direct TLS', pids: [], connect: () => opened(net.connect(direct, '127.0.0.1'), 'connect') },
    {
      name: 'Postern',
      pids: site.product.pids,
      connect: () =>
        opened(tls.connect({ ...secured, port, servername, cert, key, ALPNProtocols: ['rdp'] }), 'secureConnect'),
    },
    {
      name: 'stunnel + haproxy',
      pids: site.relay.pids,
      connect: () => opened(tls.connect({ ...secured, port: site.relay.port }), 'secureConnect'),
    },
  ];
}

async function opened<S extends net.Socket>(socket: S, event: string): Promise<S> {
  socket.setNoDelay(true);
  await new Promise((resolve, reject) => socket.once(event, resolve).once('error', reject));
  return socket;
}

/** Unicode, and logging in without being asked, which desktops insist on where nobody says it for the client. */
const infoFlags = 0x18;

/** A session whose first picture is there. */
async function session(path: RdpPath): Promise<ScriptedClient> {
  const client = await ScriptedClient.open(await path.connect());
  await client.connect(infoFlags);
  await client.picture();
  return client;
}

/** One key after the other, each when the picture of the one before is there. */
async function keys(paths: readonly RdpPath[], { rounds, seconds }: Pick<Effort, 'rounds' | 'seconds'>): Promise<void> {
  const samples = await interleave(paths, rounds, async (path) => {
    const client = await session(path);
    const times: number[] = [];
    const { cpu } = await measured(path.pids, async () => {
      for (const end = performance.now() + seconds * 1000; performance.now() < end; await sleep(5)) {
        const pressed = performance.now();
        await client.key();
        await client.picture();
        times.push(performance.now() - pressed);
      }
    });
    client.stream.destroy();
    return { ms: median(times), cost: cpu / times.length };
  });
  const rows = paths.map(({ name, pids }, index) => {
    const own = (samples[index] ?? []).map(({ ms }) => ms);
    const ratio = medianRatio(
      own,
      (samples[0] ?? []).map(({ ms }) => ms),
    );
    const cost = median((samples[index] ?? []).map((one) => one.cost)).toFixed(0);
    return [name, median(own).toFixed(2), ratio, pids.length > 0 ? cost : ''];
  });
  printTable('From a key to its picture', ['path', 'ms', 'ratio to direct', 'µs of CPU in between'], rows);
}

async function movingPicture(
  paths: readonly RdpPath[],
  shown: Set<FakeConnection>,
  { rounds, seconds }: Pick<Effort, 'rounds' | 'seconds'>,
): Promise<void> {
  const samples = await interleave(paths, rounds, async (path) => {
    shown.clear();
    const client = await session(path);
    const [desktop] = shown;
    let bytes = 0;
    const reading = (async (): Promise<never> => {
      for (;;) bytes += (await client.next()).length;
    })();
    // Ends with the stream.
    reading.catch(() => {});
    const { cpu, ms } = await measured(path.pids, async () => {
      for (let sent = 0; sent < seconds * framesPerSecond; sent += 1) {
        for (const part of frame) desktop?.send(part);
        await sleep(1000 / framesPerSecond);
      }
    });
    client.stream.destroy();
    return { cost: cpu / 1000 / (ms / 1000), rate: bytes / 1_000_000 / (ms / 1000) };
  });
  const rows = paths.map(({ name, pids }, index) => {
    const own = samples[index] ?? [];
    const cost = median(own.map((one) => one.cost)).toFixed(0);
    return [name, median(own.map(({ rate }) => rate)).toFixed(1), pids.length > 0 ? cost : ''];
  });
  const head = ['path', 'MB/s', 'ms of CPU in between for each second'];
  printTable(`A moving picture: ${framesPerSecond} of 82 kB in a second`, head, rows);
}

async function idle(paths: readonly RdpPath[]): Promise<void> {
  const rows: (string | number)[][] = [];
  for (const path of paths.filter(({ pids }) => pids.length > 0)) {
    const clients: ScriptedClient[] = [];
    const fill = async (): Promise<void> => {
      for (let made = 0; made < idleSessions; made += 1) clients.push(await session(path));
      await sleep(2000);
    };
    await fill();
    const before = residentKilobytes(path.pids);
    await fill();
    rows.push([
      path.name,
      (before / 1000).toFixed(0),
      ((residentKilobytes(path.pids) - before) / idleSessions).toFixed(0),
    ]);
    for (const { stream } of clients) stream.destroy();
  }
  const title = `${idleSessions} idle sessions, after ${idleSessions} others`;
  printTable(title, ['path', 'MB before', 'kB for each session'], rows);
}

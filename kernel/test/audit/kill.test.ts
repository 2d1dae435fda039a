import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readJournal } from '../../src/audit/log/index.js';
import { eventIn } from '../../src/audit/log/id-lookup.js';
import { PartJoiner } from '../../src/audit/event-parts.js';
import { noteVerifier } from '../../src/audit/tlog/index.js';
import { verifyLog } from '../../src/audit/verify/index.js';
import { AuditTrail } from '../../src/audit/trail.js';
import { catalog, cluster, Folder, isFull, openLog, origin, range, type Keys } from './support.js';

const rounds = isFull ? 50 : 5;

/** Starts the child, lets it work for a while once it has begun, and kills it in the middle of whatever it does. */
async function runAndKill(directory: string, key: string, workMs: number): Promise<void> {
  const child = spawn(
    process.execPath,
    [
      '--import=tsx',
      '--conditions=postern:source',
      join(import.meta.dirname, 'children', 'emit.ts'),
      directory,
      key,
      'agent-1',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const exited = once(child, 'exit');
  const complaints: Buffer[] = [];
  child.stderr.on('data', (chunk: Buffer) => complaints.push(chunk));
  const sizeOf = async (): Promise<number> =>
    (await stat(join(directory, 'accepted')).catch(() => undefined))?.size ?? 0;
  const before = await sizeOf();
  for (let tries = 0; (await sizeOf()) === before && child.exitCode === null; tries += 1) {
    assert.ok(tries < 5000, 'the child never began');
    await sleep(5);
  }
  await sleep(workMs);
  child.kill('SIGKILL');
  const [code, signal] = (await exited) as [number | null, string | null];
  assert.deepEqual([code, signal], [null, 'SIGKILL'], Buffer.concat(complaints).toString());
}

/** How often each token stands in the log, long events put together. */
async function tokensIn(directory: string): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  const joiner = new PartJoiner();
  for await (const { lines } of readJournal(directory)) {
    for (const line of lines) {
      const event = eventIn(line);
      const whole = event && joiner.add(event);
      const token = whole?.fields['verb'];
      if (typeof token === 'string') counts.set(token, (counts.get(token) ?? 0) + 1);
    }
  }
  return counts;
}

describe('a process that is killed again and again in the middle of its work', () => {
  it(`loses no accepted event and doubles none, in ${rounds} rounds`, async function () {
    this.timeout(rounds * 20_000);
    await using folder = await Folder.make();
    const { privateKey } = generateKeyPairSync('ed25519');
    const pem = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
    for (const round of range(1, rounds)) await runAndKill(folder.path, pem, (round * 53) % 200);

    const publicKey = Buffer.from(createPublicKey(privateKey).export({ format: 'jwk' }).x ?? '', 'base64url');
    const keys: Keys = {
      signer: { name: origin, publicKey, sign: (bytes) => sign(null, bytes, privateKey) },
      verifier: noteVerifier(origin, publicKey),
    };
    const directory = folder.in('log');
    // A strict event is in the log already, whatever the spool still holds.
    const accepted = (await readFile(folder.in('accepted'), 'utf8')).trimEnd().split('\n');
    const early = await tokensIn(directory);
    for (const line of accepted) {
      const [strength, token = ''] = line.split(' ');
      if (strength === 'strict') assert.equal(early.get(token), 1, `strict event ${token}`);
    }
    {
      await using log = await openLog({ directory, keys });
      await using trail = await AuditTrail.open({
        directory: folder.in('spool'),
        cluster,
        agent: 'agent-1',
        catalog,
        sink: log,
        now: () => new Date(),
        onFailure: (error) => {
          throw error;
        },
      });
      await trail.delivery.idle();
    }
    const counts = await tokensIn(directory);
    for (const line of accepted) assert.equal(counts.get(line.split(' ')[1] ?? ''), 1, line);
    for (const [token, count] of counts) assert.equal(count, 1, token);
    assert.ok(counts.size - accepted.length <= rounds, 'at most one event a round was written and not yet promised');

    const report = await verifyLog({ directory, keys: [keys.verifier], origin });
    assert.deepEqual([report.ok, report.problems, report.notices], [true, [], []]);
    assert.equal(report.agents.length, 1);
    assert.equal(report.agents[0]?.ranges.length, 1);
    assert.deepEqual(
      (await readdir(folder.in('spool'))).filter((name) => name.endsWith('.quarantine')),
      [],
    );
    assert.ok(accepted.length > rounds * 10, `${accepted.length} events`);
  });
});

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { serialize } from 'pg-protocol';
import { needProgram } from '@postern/plugin-sdk/testing';
import { needPostgres } from './support/postgres-server.js';
import { RawClient } from './support/raw-client.js';
import { Site } from './support/site.js';
import type { Stand } from './support/stand.js';

const rows = 1_000_000;

describe('bulk', function () {
  this.timeout(120_000);
  let site: Site;
  let stand: Stand;
  before(async function () {
    needPostgres(this);
    site = await Site.start();
    stand = await site.stand();
  });
  after(async () => {
    await (stand as Stand | undefined)?.[Symbol.asyncDispose]();
    await (site as Site | undefined)?.[Symbol.asyncDispose]();
  });

  async function checksum(file: string): Promise<string> {
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
    return hash.digest('hex');
  }

  it('copies a million rows in and out unchanged, and counts them', async () => {
    const file = join(site.home, 'rows');
    const output = createWriteStream(file);
    for (let row = 0; row < rows; row += 10_000) {
      const lines = Array.from({ length: 10_000 }, (_, at) => `${row + at}\tvalue ${(row + at) * 7919}\n`);
      if (!output.write(lines.join(''))) await once(output, 'drain');
    }
    output.end();
    await once(output, 'close');
    const { status, stderr } = await site.psql(stand, [
      ...['-c', 'create table bulk (n int, v text)'],
      ...['-c', `\\copy bulk from '${file}'`],
      ...['-c', `\\copy (select * from bulk order by n) to '${file}.out'`],
    ]);
    assert.equal(status, 0, stderr);
    assert.equal(await checksum(`${file}.out`), await checksum(file));
    await stand.idle();
    const copies = stand.seen('result').filter(({ copy }) => copy !== undefined);
    assert.deepEqual(
      copies.map(({ copy, rows: count }) => [copy, count]),
      [
        ['in', rows],
        ['out', rows],
      ],
    );
    assert.equal(copies[0]?.['copyBytes'], copies[1]?.['copyBytes']);
  });

  it('passes on notifications that nobody asked for just now', async () => {
    using listener = await RawClient.open(stand);
    await listener.login();
    await listener.send(serialize.query('listen news'));
    await listener.until('Z');
    const { status, stderr } = await site.psql(stand, ['-c', "notify news, 'extra'"]);
    assert.equal(status, 0, stderr);
    const heard = await listener.until('A');
    assert.ok(heard.at(-1)?.body.includes('news\0extra\0'));
  });

  it('streams what is replicated', async function () {
    const receive = needProgram(this, 'pg_recvlogical', 'postgresql-client');
    const connection = await site.connection(stand, 'alice');
    const slot = ['-S', 'tested', '-d', connection];
    const created = await site.run(receive, [...slot, '--create-slot', '-P', 'test_decoding']);
    assert.equal(created.status, 0, created.stderr);
    const child = spawn(receive, [...slot, '--start', '-f', '-', '-s', '1'], {
      env: { PATH: process.env['PATH'], HOME: site.home },
    });
    const closed = once(child, 'close');
    let received = '';
    const arrived = new Promise<void>((resolve) =>
      child.stdout.on('data', (text) => {
        received += String(text);
        if (received.includes('replicated')) resolve();
      }),
    );
    await site.psql(stand, [
      '-c',
      'create table streamed (v text)',
      '-c',
      "insert into streamed values ('replicated')",
    ]);
    await arrived;
    child.kill('SIGINT');
    await closed;
    assert.ok(stand.seen('login').some(({ replication }) => replication === true));
    assert.ok(stand.seen('query').some(({ statement }) => String(statement).startsWith('START_REPLICATION')));
    await stand.idle();
    await site.run(receive, [...slot, '--drop-slot']);
  });
});

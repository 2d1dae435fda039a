import assert from 'node:assert/strict';
import fc from 'fast-check';
import { serialize } from 'pg-protocol';
import { within } from '@postern/plugin-sdk/host';
import { message } from '../src/wire.js';
import { needPostgres } from './support/postgres-server.js';
import { RawClient, type Message } from './support/raw-client.js';
import { Site } from './support/site.js';
import type { Stand } from './support/stand.js';

const long = 'n'.repeat(62);
/** Names that clash in every way: the empty one, and two that are one to the server. */
const name = fc.constantFrom('', 'a', 'b', `${long}xy`, `${long}xz`);
const portal = fc.constantFrom('', 'p');
const string = (text: string): Buffer => Buffer.from(`${text}\0`);

/** Things a client does, right and wrong. `{n}` becomes a number that no other statement has. */
const action = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('parse' as const),
      name,
      text: fc.constantFrom("select 'tag {n}'", 'selec {n}'),
    }),
  },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('run' as const), name, portal }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('bind' as const), name, portal }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('execute' as const), portal }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('close' as const), name }) },
  { weight: 3, arbitrary: fc.constant({ kind: 'sync' as const }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('copy' as const),
      table: fc.constantFrom('heap', 'heap', 'nowhere'),
      /** A Sync right behind Execute, as libpq sends it: the server ignores it where it waits for data. */
      early: fc.boolean(),
      data: fc.constantFrom('1\n', 'no number\n', ''),
      /** A COPY without an end would be left by any other message, and with it the connection. */
      ends: fc.constantFrom(serialize.copyDone(), serialize.copyFail('no')),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('query' as const),
      text: fc.constantFrom(
        "select 'tag {n}'",
        'selec {n}',
        'discard all',
        'deallocate all',
        'deallocate a',
        "prepare a as select 'tag {n}'",
        "deallocate a; prepare a as select 'tag {n}'",
        "begin; declare p cursor for select 'tag {n}'",
        'commit',
      ),
    }),
  },
);
type Action = typeof action extends fc.Arbitrary<infer T> ? T : never;

function said(step: Action, text: (template: string) => string): Buffer {
  switch (step.kind) {
    case 'parse':
      return message('P', string(step.name), string(text(step.text)), Buffer.alloc(2));
    case 'bind':
      return message('B', string(step.portal), string(step.name), Buffer.alloc(6));
    case 'execute':
      return serialize.execute({ portal: step.portal, rows: 0 });
    case 'run':
      return Buffer.concat([said({ ...step, kind: 'bind' }, text), said({ ...step, kind: 'execute' }, text)]);
    case 'close':
      return message('C', Buffer.from('S'), string(step.name));
    case 'sync':
      return serialize.sync();
    case 'copy':
      return Buffer.concat([
        message('C', Buffer.from('Scopy\0')),
        message('P', string('copy'), string(`copy ${step.table} from stdin`), Buffer.alloc(2)),
        message('B', string(''), string('copy'), Buffer.alloc(6)),
        serialize.execute({ portal: '', rows: 0 }),
        ...(step.early ? [serialize.sync()] : []),
        ...(step.data === '' ? [] : [serialize.copyData(Buffer.from(step.data))]),
        step.ends,
      ]);
    case 'query':
      return serialize.query(text(step.text));
  }
}

const maxSteps = 40;
const closeOne = message('C', Buffer.from('Smark\0'));
const mark = Buffer.concat([
  serialize.sync(),
  ...Array.from({ length: maxSteps + 1 }, () => closeOne),
  serialize.sync(),
]);

/** How many times the server took data by COPY to the end. */
const copied = (messages: readonly Message[]): number =>
  messages.filter(({ type, body }) => type === 'C' && body.toString('latin1').startsWith('COPY ')).length;

/** The tags of the statements that the server ran, in their order. */
function ran(messages: readonly Message[]): string[] {
  const tags: string[] = [];
  for (const [index, { type }] of messages.entries()) {
    const before = messages[index - 1];
    if (type === 'C' && before?.type === 'D') tags.push(before.body.toString('latin1', 6));
  }
  return tags;
}

describe('what the log tells', function () {
  this.timeout(600_000);
  let site: Site;
  let stand: Stand;
  before(async function () {
    needPostgres(this);
    site = await Site.start();
    const clear = { tls: { mode: 'disable' }, auth: { method: 'password', secret: 'scram' } };
    stand = await site.stand({ spec: site.spec(clear), secrets: { scram: 'pencil' } });
  });
  after(async () => {
    await (stand as Stand | undefined)?.[Symbol.asyncDispose]();
    await (site as Site | undefined)?.[Symbol.asyncDispose]();
  });

  let number = 0;

  /**
   * Reads up to the answer to {@link mark}: nothing else makes the server close so many statements in a row, and it
   * does so in a failed transaction too.
   */
  async function untilMark(client: RawClient): Promise<Message[]> {
    const messages: Message[] = [];
    for (let closed = 0; closed < maxSteps + 1;) {
      const message = await client.next();
      messages.push(message);
      closed = message.type === '3' ? closed + 1 : 0;
    }
    return [...messages, ...(await client.until('Z'))];
  }

  /** Does it all, waiting for the server where `waits` says so, and returns what the server said. */
  async function converse(client: RawClient, steps: readonly Action[], waits: boolean): Promise<Message[]> {
    await client.startup([
      ['user', 'scram'],
      ['database', 'bench'],
    ]);
    await client.until('Z');
    await client.send(serialize.query('create temp table heap (n int)'));
    await client.until('Z');
    const text = (template: string): string => template.replace('{n}', String((number += 1)));
    const messages: Message[] = [];
    let pending: Buffer[] = [];
    const flush = async (): Promise<void> => {
      await client.send(...pending, mark);
      pending = [];
      messages.push(...(await untilMark(client)));
    };
    for (const step of steps) {
      pending.push(said(step, text));
      if (waits && (step.kind === 'sync' || step.kind === 'query')) await flush();
    }
    await flush();
    await client.send(serialize.end());
    await client.closed();
    await stand.idle();
    return messages;
  }

  for (const waits of [true, false])
    it(`is what a real server ran, whatever is sent to it${waits ? '' : ' in one breath'}`, async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(action, { maxLength: maxSteps }), async (steps) => {
          stand.events.length = 0;
          using client = await RawClient.open(stand);
          const said = await within(converse(client, steps, waits), 10_000);
          const tags = ran(said);
          const completed = stand.seen('result').filter(({ outcome }) => outcome === 'completed');
          const copies = completed.filter(({ command }) => command === 'COPY');
          assert.equal(copies.length, copied(said));
          assert.ok(copies.every(({ copy }) => copy === 'in'));
          const results = completed.filter(({ rows, command }) => rows === 1 && command !== 'COPY');
          assert.equal(results.length, tags.length);
          for (const [index, tag] of tags.entries()) {
            const query = stand.seen('query').find(({ sequence }) => sequence === results[index]?.['sequence']);
            const texts = [query?.['statement'], ...((query?.['alternatives'] as string[] | undefined) ?? [])];
            const told = texts.some((text) => String(text).includes(`'${tag}'`));
            // What SQL itself prepared or declared goes by a name in the protocol, and the log says that it does.
            const unknown =
              query?.['statement'] === undefined || query['doubtful'] === true || query['portal'] !== undefined;
            assert.ok(told || unknown, `${tag} was run, and the log tells of ${JSON.stringify(query)}`);
          }
        }),
        process.env['POSTERN_TEST_FULL'] === '1'
          ? { numRuns: 10_000, interruptAfterTimeLimit: 120_000 }
          : { numRuns: 60 },
      );
    });
});

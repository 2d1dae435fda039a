import assert from 'node:assert/strict';
import fc from 'fast-check';
import { PosternError } from '@postern/plugin-sdk';
import { Parser } from 'pg-protocol/dist/parser.js';
import { serialize } from 'pg-protocol';
import { FrameRules, FrameWalker, rule } from '../src/frame-walker.js';
import { message } from '../src/wire.js';
import { backend, frontend } from './support/backend.js';
import { Conversation } from './support/conversation.js';

const rules = new FrameRules({
  t: { rule: rule.take, limit: 1_000_000 },
  s: { rule: rule.skip, limit: 1_000_000 },
  c: { rule: rule.count, limit: 1_000_000 },
});

/** Notes what it is shown. */
class Notes extends FrameWalker {
  readonly frames: { readonly body: string; readonly length: number }[] = [];
  readonly pieces: string[] = [];

  constructor(holds = 8) {
    super(rules, holds);
  }

  read(...chunks: readonly Buffer[]): this {
    for (const chunk of chunks) this.walk(chunk);
    return this;
  }

  protected override frame(_type: number, body: Buffer, length: number): void {
    this.frames.push({ body: body.toString(), length });
  }

  protected override piece(_type: number, piece: Buffer): void {
    this.pieces.push(piece.toString());
  }
}

const stream = Buffer.concat([
  message('t', Buffer.from('short')),
  message('s', Buffer.from('skipped entirely')),
  message('t'),
  message('c', Buffer.from('12345')),
  message('t', Buffer.from('longer than is held')),
  message('c'),
  message('s'),
]);

describe('FrameWalker', () => {
  it('hands over what is taken, and looks at nothing else', () => {
    const notes = new Notes().read(stream);
    assert.deepEqual(notes.frames, [
      { body: 'short', length: 5 },
      { body: '', length: 0 },
      { body: 'longer t', length: 19 },
    ]);
    assert.equal(notes.pieces.join(''), 'longer than is held');
    assert.equal(notes.counted, 5);
    assert.equal(notes.remaining, 0);
  });

  it('sees the same wherever chunks begin and end', () => {
    const whole = new Notes().read(stream);
    for (let one = 0; one <= stream.length; one += 1)
      for (let two = one; two <= stream.length; two += 1) {
        const notes = new Notes().read(stream.subarray(0, one), stream.subarray(one, two), stream.subarray(two));
        assert.deepEqual(notes.frames, whole.frames);
        assert.equal(notes.pieces.join(''), whole.pieces.join(''));
        assert.equal(notes.counted, whole.counted);
      }
  });

  it('knows how much of a frame is missing', () => {
    for (const type of ['s', 't', 'c']) {
      const frame = message(type, Buffer.alloc(100));
      for (let at = 0; at <= frame.length; at += 1) {
        const { remaining } = new Notes().read(frame.subarray(0, at));
        assert.equal(remaining, at === 0 ? 0 : at < 5 ? undefined : frame.length - at);
      }
    }
  });

  it('refuses a type without a rule, and lengths beyond the limit', () => {
    for (const bytes of [
      message('x'),
      Buffer.from('t\0\0\0\x03'),
      Buffer.from('s\xff\0\0\0', 'latin1'),
      Buffer.from('s\0\x20\0\0'),
    ])
      assert.throws(() => new Notes().read(bytes), { code: 'protocol_violation' });
  });
});

/** Any message of a server, as a reference parser knows it. */
const answer = fc.oneof(
  fc.constantFrom(
    backend.parseComplete,
    backend.bindComplete,
    backend.closeComplete,
    backend.noData,
    backend.emptyQuery,
  ),
  fc.constantFrom(
    backend.portalSuspended,
    backend.copyDone,
    backend.ready(),
    backend.notification,
    backend.notice('n'),
  ),
  fc.constantFrom('SELECT 1', 'INSERT 0 5', 'COPY 7', 'BEGIN', 'DISCARD ALL').map((tag) => backend.complete(tag)),
  fc
    .array(fc.string({ maxLength: 40 }), { maxLength: 5 })
    .map((values) => backend.row(...values.map((text) => text.replace(/[^ -~]/g, '?')))),
  fc.string({ maxLength: 200 }).map((text) => backend.copyData(text)),
  fc.constant(backend.error('42601', 'syntax error')),
);

const request = fc.oneof(
  fc.constantFrom(serialize.sync(), serialize.flush(), serialize.copyDone(), serialize.execute(), serialize.bind()),
  fc.constantFrom(
    serialize.parse({ text: 'select 1' }),
    serialize.parse({ name: 'a', text: 'select 2' }),
    serialize.query('select 3'),
  ),
  fc.constantFrom(
    serialize.close({ type: 'S', name: 'a' }),
    serialize.close({ type: 'P' }),
    frontend.functionCall(1, null),
  ),
  fc.string({ maxLength: 300 }).map((text) => serialize.query(text.replaceAll('\0', ''))),
);

/** Cuts a stream at any places. */
function cut(whole: Buffer, places: readonly number[]): Buffer[] {
  const at = [0, ...places.map((place) => place % (whole.length + 1)).sort((a, b) => a - b), whole.length];
  return at
    .slice(1)
    .map((end, index) => whole.subarray(at[index], end))
    .filter(({ length }) => length > 0);
}

const runs = process.env['POSTERN_TEST_FULL'] === '1' ? 20_000 : 500;
const places = fc.array(fc.nat(5000), { maxLength: 20 });

describe('the tap, fuzzed', function () {
  this.timeout(60_000);
  it('sees the messages of a server that a reference parser sees', () => {
    fc.assert(
      fc.property(fc.array(answer, { maxLength: 40 }), places, (messages, at) => {
        const chunks = cut(Buffer.concat(messages), at);
        const reference: string[] = [];
        const parser = new Parser();
        for (const chunk of chunks) parser.parse(Buffer.from(chunk), (seen) => void reference.push(seen.name));
        const errors = reference.filter((name) => name === 'error').length;
        const conversation = new Conversation();
        for (const chunk of chunks) void conversation.server(chunk);
        assert.equal(reference.length, messages.length);
        assert.equal(conversation.events.filter(({ type }) => type === 'failure').length, errors);
        assert.equal(conversation.tap.owed, 0);
      }),
      { numRuns: runs },
    );
  });

  it('tells the same of a conversation, however it is cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(request, fc.array(answer, { maxLength: 4 })), { maxLength: 20 }),
        places,
        (turns, at) => {
          const told = (pieces: readonly number[]): string[] => {
            const conversation = new Conversation();
            for (const [asked, answers] of turns) {
              void conversation.client(asked);
              for (const chunk of cut(Buffer.concat(answers), pieces)) void conversation.server(chunk);
            }
            return conversation.told;
          };
          assert.deepEqual(told(at), told([]));
        },
      ),
      { numRuns: runs },
    );
  });

  it('throws nothing but errors of ours at garbage, and reports no statement twice', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(
            fc.boolean(),
            fc.oneof(
              request,
              answer,
              fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
            ),
          ),
          { maxLength: 60 },
        ),
        places,
        (turns, at) => {
          const conversation = new Conversation();
          try {
            for (const [fromClient, bytes] of turns)
              for (const chunk of cut(bytes, at))
                void (fromClient ? conversation.client(chunk) : conversation.server(chunk));
          } catch (cause) {
            assert.ok(PosternError.is(cause), String(cause));
          }
          const sent = conversation.events.filter(({ type }) => ['query', 'prepare', 'call'].includes(type));
          assert.equal(new Set(sent.map(({ sequence }) => sequence)).size, sent.length);
        },
      ),
      { numRuns: runs },
    );
  });
});

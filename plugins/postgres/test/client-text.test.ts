import assert from 'node:assert/strict';
import fc from 'fast-check';
import { serialize } from 'pg-protocol';
import { ClientText, type ReadText } from '../src/client-text.js';
import { int32, message } from '../src/wire.js';
import { backend } from './support/backend.js';
import { Conversation } from './support/conversation.js';

const { parse, execute, sync } = serialize;
const { status, complete, ready } = backend;

const query = (bytes: readonly number[]): Buffer => message('Q', Buffer.from([...bytes, 0]));

/** A Bind whose parameters are these bytes, as text. */
function bindText(...values: readonly Buffer[]): Buffer {
  const int16 = (value: number): Buffer => Buffer.from([value >> 8, value & 255]);
  const parameters = values.flatMap((value) => [int32(value.length), value]);
  return message('B', Buffer.from('\0\0'), int16(0), int16(values.length), ...parameters, int16(0));
}

const spoken = [
  ['UTF8', [0xc3, 0xa4, 0xe2, 0x82, 0xac], 'ä€', undefined],
  ['LATIN1', [0xe4, 0xa4], 'ä¤', 'LATIN1'],
  ['LATIN9', [0xe4, 0xa4], 'ä€', 'LATIN9'],
  ['WIN1252', [0xe4, 0x80], 'ä€', 'WIN1252'],
  ['WIN1251', [0xcf, 0xf0, 0xe8], 'При', 'WIN1251'],
  ['KOI8R', [0xf0, 0xd2, 0xc9], 'При', 'KOI8R'],
  ['EUC_JP', [0xc6, 0xfc, 0xcb, 0xdc], '日本', 'EUC_JP'],
  ['SJIS', [0x93, 0xfa, 0x96, 0x7b], '日本', 'SJIS'],
  ['GBK', [0xd6, 0xd0], '中', 'GBK'],
  ['BIG5', [0xa4, 0xa4], '中', 'BIG5'],
  ['UHC', [0xc7, 0xd1], '한', 'UHC'],
  ['SQL_ASCII', [0xc3, 0xa4], 'ä', 'SQL_ASCII'],
] as const;

describe('what a client says in its own encoding', () => {
  for (const [name, bytes, text, declared] of spoken)
    it(`is shown as text and declared: ${name}`, () => {
      const conversation = new Conversation({}, name);
      void conversation.client(query(bytes), parse({ text: 'x' }), bindText(Buffer.from(bytes)), execute(), sync());
      const [simple, extended] = conversation.events;
      assert.deepEqual([simple?.['statement'], simple?.['encoding']], [text, declared]);
      assert.deepEqual([extended?.['parameters'], extended?.['encoding']], [[text], declared]);
      assert.deepEqual(conversation.lines[0]?.['statement'], text);
    });

  it('is followed where the client changes it', () => {
    const conversation = new Conversation();
    void conversation.client(query([0xe4]));
    void conversation.server(status('client_encoding', 'LATIN1'), complete('SET'), ready());
    void conversation.client(query([0xe4]));
    void conversation.server(backend.error('42601', 'syntax'), ready(), status('client_encoding', 'UTF8'));
    void conversation.client(query([0xc3, 0xa4]));
    const told = conversation.events.filter(({ type }) => type === 'query');
    assert.deepEqual(
      told.map(({ statement, encoding }) => [statement, encoding]),
      [
        ['ä', 'bytes'],
        ['ä', 'LATIN1'],
        ['ä', undefined],
      ],
    );
  });

  it('is what the server answers in as well', () => {
    const conversation = new Conversation({}, 'LATIN1');
    void conversation.client(query([0xe4]));
    const fields = Buffer.concat([Buffer.from('SERROR\0C42601\0M'), Buffer.from([0xe4, 0, 0])]);
    void conversation.server(message('E', fields), ready());
    assert.equal(conversation.events.at(-1)?.['message'], 'ä');
  });

  it('is kept to the last byte where it is no text in it', () => {
    for (const encoding of ['UTF8', 'SJIS', 'MULE_INTERNAL', 'SQL_ASCII']) {
      const conversation = new Conversation({}, encoding);
      const bytes = Buffer.from([0x61, 0xff, 0xfe, 0x80]);
      void conversation.client(query([...bytes]), parse({ text: 'x' }), bindText(bytes, Buffer.from('b')), sync());
      const [simple, extended] = conversation.events;
      assert.equal(simple?.['encoding'], 'bytes', encoding);
      assert.deepEqual(Buffer.from(simple['statement'] as string, 'latin1'), bytes);
      assert.deepEqual([extended?.['parameters'], extended?.['binary']], [['\\x61fffe80', 'b'], [1]]);
    }
  });

  it('is cut between characters, and recorded whole', () => {
    for (const [encoding, character] of [
      ['SJIS', [0x93, 0xfa]],
      ['LATIN1', [0xe4]],
      ['UTF8', [0xe2, 0x82, 0xac]],
      ['GB18030', [0xd6, 0xd0]],
    ] as const) {
      const conversation = new Conversation({ maxStatementBytes: 1024 }, encoding);
      const bytes = [0x61, ...Array<readonly number[]>(2000).fill(character).flat()];
      void conversation.client(query(bytes));
      const { text } = read(encoding, bytes);
      const shown = conversation.events[0]?.['statement'] as string;
      assert.ok(text.startsWith(shown) && shown.length > 300, encoding);
      assert.equal(conversation.events[0]?.['truncated'], true);
      assert.equal(conversation.lines[0]?.['statement'], text);
    }
  });

  it('is recorded whole where it is too long to be held, whatever it is', () => {
    for (const encoding of ['UTF8', 'LATIN1', 'SJIS', 'SQL_ASCII']) {
      const bytes = Buffer.alloc(600_000, Buffer.from([0x61, 0xe2, 0x82, 0xac, 0xff]));
      const conversation = new Conversation({}, encoding);
      const whole = message('Q', Buffer.concat([bytes, Buffer.alloc(1)]));
      for (let at = 0; at < whole.length; at += 8191) void conversation.tap.fromClient(whole.subarray(at, at + 8191));
      const parts = conversation.lines
        .filter(({ type }) => type === 'part')
        .map(({ text, base64 }) =>
          typeof base64 === 'string'
            ? Buffer.from(base64, 'base64')
            : Buffer.from(text as string, encoding === 'LATIN1' ? 'latin1' : 'utf8'),
        );
      assert.deepEqual(Buffer.concat(parts), bytes, encoding);
    }
  });

  it('never loses a byte: what is read can be written again', () => {
    const names = [...spoken.map(([name]) => name), 'EUC_TW', 'no such thing'];
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.uint8Array({ maxLength: 40 }), (name, bytes) => {
        const { text, encoding } = read(name, bytes);
        if (encoding === 'bytes' || encoding === 'LATIN1')
          assert.deepEqual(Buffer.from(text, 'latin1'), Buffer.from(bytes));
        else if (encoding === undefined || encoding === 'SQL_ASCII')
          assert.deepEqual(Buffer.from(text), Buffer.from(bytes));
        else assert.ok(!text.includes('\ufffd'));
      }),
    );
  });
});

function read(encoding: string, bytes: ArrayLike<number>): ReadText {
  const reader = new ClientText();
  reader.set(encoding);
  return reader.read(Buffer.from(bytes), 0, bytes.length);
}

import assert from 'node:assert/strict';
import fc from 'fast-check';
import { PosternError } from '@postern/plugin-sdk';
import {
  askOf,
  firstMessageLength,
  readFirstMessage,
  settingsOf,
  startupMessage,
  wantsReplication,
} from '../src/startup.js';
import { cancelRequest, code, errorResponse, int32, readErrorFields } from '../src/wire.js';

const startup = (body: string | Buffer, version: number = code.version3): Buffer => {
  const bytes = Buffer.from(body as string);
  return Buffer.concat([int32(8 + bytes.length), int32(version), bytes]);
};

/** The parameters of a startup message. */
function parametersOf(packet: Buffer): ReadonlyMap<string, string> {
  const first = readFirstMessage(packet);
  assert.equal(first.kind, 'startup');
  return first.parameters;
}

describe('a first message', () => {
  it('asks for encryption, by TLS or by GSS', () => {
    const request = (kind: number): Buffer => Buffer.concat([int32(8), int32(kind)]);
    assert.deepEqual(readFirstMessage(request(code.ssl)), { kind: 'encryption', method: 'ssl' });
    assert.deepEqual(readFirstMessage(request(code.gss)), { kind: 'encryption', method: 'gss' });
  });

  it('asks to cancel, with a key of 4 to 256 bytes', () => {
    for (const length of [4, 32, 256]) {
      const secret = Buffer.alloc(length, 7);
      const packet = cancelRequest(Buffer.concat([int32(0x7fff_ffff), secret]));
      assert.deepEqual(readFirstMessage(packet), { kind: 'cancel', connection: 0x7fff_ffff, secret });
    }
    for (const length of [3, 257])
      assert.throws(() => readFirstMessage(cancelRequest(Buffer.alloc(4 + length))), { code: 'protocol_violation' });
  });

  it('begins a session with parameters, of any minor version', () => {
    const first = readFirstMessage(startup('user\0app\0database\0bench\0_pq_.x\0\0\0', code.version3 + 2));
    assert.deepEqual(first, {
      kind: 'startup',
      minor: 2,
      parameters: new Map([
        ['user', 'app'],
        ['database', 'bench'],
        ['_pq_.x', ''],
      ]),
    });
    assert.equal(parametersOf(startup('\0')).size, 0);
  });

  for (const [name, packet] of [
    ['another major version', startup('\0', 2 << 16)],
    ['a name without a value', startup('user\0\0')],
    ['no end', startup('user\0app\0')],
    ['bytes behind its end', startup('user\0app\0\0more\0')],
    ['a parameter without a name', startup('user\0app\0\0x\0\0')],
    ['text that is not UTF-8', startup(Buffer.from('user\0\xff\0\0', 'latin1'))],
    ['no zero byte at all', startup('user')],
    ['no body', startup('')],
    ['a request for TLS that is longer', Buffer.concat([int32(9), int32(code.ssl), Buffer.alloc(1)])],
  ] as const)
    it(`is refused for ${name}`, () => {
      assert.throws(() => readFirstMessage(packet), { code: 'protocol_violation' } satisfies Partial<PosternError>);
    });

  it('a startup of one gigabyte is refused before it is waited for', () => {
    for (const length of [0x4000_0000, 0xffff_ffff, 10_001, 7, 0])
      assert.throws(() => firstMessageLength(int32(length)), { code: 'protocol_violation' });
    assert.equal(firstMessageLength(int32(10_000)), 10_000);
  });

  it('throws nothing but errors of ours, whatever it holds', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 8, maxLength: 300 }),
        fc.constantFrom(...Object.values(code)),
        (bytes, kind) => {
          const packet = Buffer.concat([int32(bytes.length), int32(kind), bytes.subarray(8)]);
          try {
            readFirstMessage(packet);
          } catch (cause) {
            assert.ok(PosternError.is(cause), String(cause));
          }
        },
      ),
    );
  });
});

describe('what a startup asks for', () => {
  const ask = (body: string) => askOf(parametersOf(startup(body)));

  it('is a user and a database, which is named after the user by default', () => {
    assert.deepEqual(ask('user\0app\0database\0bench\0\0'), { user: 'app', database: 'bench', replication: false });
    assert.deepEqual(ask('user\0app\0\0'), { user: 'app', database: 'app', replication: false });
    assert.deepEqual(ask('user\0app\0database\0\0\0'), { user: 'app', database: 'app', replication: false });
  });

  it('cannot do without a user', () => {
    assert.throws(() => ask('database\0bench\0\0'), { code: 'invalid_argument' });
    assert.throws(() => ask('user\0\0\0'), { code: 'invalid_argument' });
  });

  it('a second user behind the first is refused, where the server would take the last', () => {
    assert.throws(() => ask('user\0app\0user\0postgres\0\0'), { code: 'protocol_violation' });
    assert.throws(() => ask('user\0app\0database\0bench\0database\0secrets\0\0'), { code: 'protocol_violation' });
  });

  it('a user in the options changes nothing that was decided', () => {
    const parameters = parametersOf(startup('user\0app\0options\0-c user=postgres -c database=x\0User\0postgres\0\0'));
    assert.deepEqual(askOf(parameters), { user: 'app', database: 'app', replication: false });
    assert.deepEqual(settingsOf(parameters), { options: '-c user=postgres -c database=x', User: 'postgres' });
  });

  for (const value of [
    '1',
    'on',
    'yes',
    'true',
    'TRUE',
    'y',
    't',
    'database',
    'Database',
    '',
    ' off',
    'o',
    '00',
    'falsey',
  ])
    it(`replication spelled ${JSON.stringify(value)} is replication`, () =>
      assert.equal(wantsReplication(value), true));

  for (const value of ['0', 'off', 'OFF', 'of', 'no', 'n', 'false', 'f', undefined])
    it(`replication spelled ${JSON.stringify(value)} is none`, () => assert.equal(wantsReplication(value), false));
});

describe('the startup message for the server', () => {
  const text = fc.string({ maxLength: 30 }).map((value) => value.replaceAll('\0', ''));
  const name = text.filter((value) => value !== '');

  it('says what was decided and what the client set, and nothing else', () => {
    const parameters = parametersOf(startup('user\0app\0options\0-c x=1\0_pq_.y\0z\0replication\0database\0\0'));
    const sent = parametersOf(startupMessage({ user: 'app', database: 'other', replication: true }, parameters));
    assert.deepEqual(
      [...sent],
      [
        ['user', 'app'],
        ['database', 'other'],
        ['replication', 'database'],
        ['options', '-c x=1'],
      ],
    );
  });

  it('round-trips', () => {
    fc.assert(
      fc.property(name, name, fc.dictionary(name, text), (user, database, settings) => {
        const parameters = new Map(Object.entries(settings).filter(([key]) => key !== 'replication'));
        const sent = parametersOf(startupMessage({ user, database, replication: false }, parameters));
        assert.deepEqual(askOf(sent), { user, database, replication: false });
        assert.deepEqual(settingsOf(sent), settingsOf(parameters));
      }),
    );
  });
});

describe('an error response', () => {
  it('round-trips', () => {
    const text = fc.string({ minLength: 1 }).map((value) => value.replaceAll('\0', '') || 'x');
    fc.assert(
      fc.property(text, text, (words, hint) => {
        const fields = { severity: 'FATAL', sqlstate: '28000', message: words, hint };
        assert.deepEqual(readErrorFields(errorResponse(fields).subarray(5)), fields);
      }),
    );
  });

  it('is read however broken it is', () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => void readErrorFields(Buffer.from(bytes))));
    assert.deepEqual(readErrorFields(Buffer.alloc(0)), { severity: 'ERROR', sqlstate: 'XX000', message: '' });
    assert.equal(readErrorFields(Buffer.from('Cevil!\0')).sqlstate, 'XX000');
  });
});

import assert from 'node:assert/strict';
import fc from 'fast-check';
import { classOf } from '../src/command-class.js';
import { CommandReader } from '../src/command-reader.js';
import { splitInline } from '../src/inline-command.js';
import { maskArguments } from '../src/masked-arguments.js';
import { ReplyReader } from '../src/reply-reader.js';
import { encodeCommand, maxArguments, usualCount } from '../src/wire.js';

interface Read {
  readonly name: string;
  readonly words: readonly string[];
  readonly bytes: number;
}

/** Every command in `chunks`, as a reader sees them. */
function commandsIn(chunks: readonly Buffer[], keepBytes = 4096): Read[] {
  const reader = new CommandReader(keepBytes);
  const found: Read[] = [];
  for (const chunk of chunks)
    for (let at = 0; ;) {
      const step = reader.next(chunk, at);
      if (!step) break;
      at = step.at;
      if (step.kind === 'complete')
        found.push({
          name: reader.head.name,
          words: reader.kept.map((word) => word.toString('latin1')),
          bytes: reader.bytes,
        });
    }
  return found;
}

/** The words of every command, where each chunk is overwritten once it was read. */
function wordsIn(chunks: readonly Buffer[]): string[][] {
  const reader = new CommandReader(4096);
  return chunks.flatMap((chunk) => {
    const memory = Buffer.from(chunk);
    const found: string[][] = [];
    for (let step = reader.next(memory, 0); step; step = reader.next(memory, step.at))
      if (step.kind === 'complete') found.push(reader.kept.map((word) => word.toString('latin1')));
    memory.fill('!');
    return found;
  });
}

const splitAt = (data: Buffer, at: number): Buffer[] => [data.subarray(0, at), data.subarray(at)];

describe('a reader of commands', () => {
  const conversation = Buffer.concat([
    encodeCommand(['SET', 'key', 'a value\r\nwith lines']),
    Buffer.from('ping\r\n'),
    Buffer.from('*0\r\n\r\n*-1\r\n'),
    encodeCommand(['client', 'KILL', 'id', '3']),
    Buffer.from('set "a b" \'c\' \\x\n'),
    encodeCommand(['']),
  ]);
  const expected = [
    ['set', 'SET', 'key', 'a value\r\nwith lines'],
    ['ping', 'ping'],
    ['client|kill', 'client', 'KILL', 'id', '3'],
    ['set', 'set', 'a b', 'c', '\\x'],
    ['', ''],
  ];

  it('finds every command, wherever the chunks end', () => {
    for (let at = 0; at <= conversation.length; at++) {
      const found = commandsIn(splitAt(conversation, at)).map(({ name, words }) => [name, ...words]);
      assert.deepEqual(found, expected, `split at ${at}`);
    }
    const bytes = [...conversation].map((byte) => Buffer.from([byte]));
    assert.deepEqual(
      commandsIn(bytes).map(({ name, words }) => [name, ...words]),
      expected,
    );
  });

  it('keeps nothing of a chunk whose memory is used again', () => {
    const words = expected.map(([, ...rest]) => rest);
    for (let at = 0; at <= conversation.length; at++)
      assert.deepEqual(wordsIn(splitAt(conversation, at)), words, `split at ${at}`);
  });

  for (const [line, value] of [
    ['1\r\n', 1],
    ['999999999\r\nx', 999_999_999],
    ['1000000000\r\n', undefined],
    ['0\r\n', undefined],
    ['01\r\n', undefined],
    ['-1\r\n', undefined],
    ['+1\r\n', undefined],
    ['\r\n', undefined],
    ['1\n', undefined],
    ['1\r', undefined],
    ['1\rx', undefined],
    ['1', undefined],
    ['', undefined],
  ] as const)
    it(`takes ${JSON.stringify(line)} for ${value ?? 'a matter for the long way'}`, () => {
      assert.equal(usualCount(Buffer.from(line), 0)?.value, value);
    });

  it('finds what was encoded, whatever the words are', () => {
    const word = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes));
    const command = fc.array(word, { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(fc.array(command, { maxLength: 5 }), fc.nat(), (commands, seed) => {
        const data = Buffer.concat(commands.map((words) => encodeCommand(words)));
        const found = commandsIn(splitAt(data, seed % (data.length + 1)));
        assert.deepEqual(
          found.map(({ words }) => words),
          commands.map((words) => words.map((one) => one.toString('latin1'))),
        );
        assert.equal(
          found.reduce((sum, { bytes }) => sum + bytes, 0),
          data.length,
        );
      }),
    );
  });

  const refused: Readonly<Record<string, string>> = {
    '*1\n$4\r\nPING\r\n': 'a line must end in CRLF',
    '*1\rX\n': 'a line must end in CRLF',
    '*+1\r\n': 'invalid multibulk length',
    '*01\r\n': 'invalid multibulk length',
    '* 1\r\n': 'invalid multibulk length',
    [`*${maxArguments + 1}\r\n`]: 'invalid multibulk length',
    '*1\r\nPING\r\n': "expected '\\$', got 'P'",
    '*1\r\n:4\r\n': "expected '\\$', got ':'",
    '*1\r\n$-1\r\n': 'invalid bulk length',
    '*1\r\n$04\r\n': 'invalid bulk length',
    '*1\r\n$4294967296\r\n': 'invalid bulk length',
    '*1\r\n$536870913\r\n': 'invalid bulk length',
    '*1\r\n$4\r\nPINGXX': 'an argument must end in CRLF',
    '*1\r\n$3\r\nPING\r\n': 'an argument must end in CRLF',
    [`*${'1'.repeat(40)}`]: 'too big count string',
    [`GET ${'x'.repeat(70_000)}`]: 'too big inline request',
    'GET "x\r\n': 'unbalanced quotes',
    'GET "x"y\r\n': 'unbalanced quotes',
    'GET a\0b\r\n': 'NUL in an inline request',
  };
  for (const [text, error] of Object.entries(refused))
    it(`refuses ${JSON.stringify(text.slice(0, 30))}: ${error}`, () => {
      const data = Buffer.from(text, 'latin1');
      assert.throws(() => commandsIn([data]), new RegExp(error));
      // In pieces it is no better.
      assert.throws(
        () => commandsIn([...data.subarray(0, 60)].map((byte) => Buffer.from([byte])).concat(data.subarray(60))),
        new RegExp(error),
      );
    });

  it('keeps little of a command with a million words', () => {
    const reader = new CommandReader(4096);
    assert.equal(reader.next(Buffer.from(`*${maxArguments}\r\n`), 0), undefined);
    const word = Buffer.from('$1\r\nx\r\n'.repeat(1000));
    for (let count = 0; count < 100; count++)
      for (let at = 0; ;) {
        const step = reader.next(word, at);
        if (!step) break;
        at = step.at;
      }
    assert.ok(reader.kept.length <= 256);
    assert.equal(reader.whole, false);
  });
});

describe('an inline command', () => {
  const cases: Readonly<Record<string, readonly string[]>> = {
    '': [],
    '  get   a ': ['get', 'a'],
    'a"b c"': ['ab c'],
    '"\\x41\\n\\"" \'it\\\'s\'': ['A\n"', "it's"],
    '"" x': ['', 'x'],
  };
  for (const [line, words] of Object.entries(cases))
    it(`${JSON.stringify(line)} has the words ${JSON.stringify(words)}`, () =>
      assert.deepEqual(splitInline(line), words));
});

describe('a class of commands', () => {
  const cases: Readonly<Record<string, string>> = {
    get: 'read',
    set: 'write',
    'client|kill': 'admin',
    'client|setname': 'connection',
    'xinfo|stream': 'read',
    'config|get': 'admin',
    eval: 'script',
    monitor: 'monitor',
    psync: 'replicate',
    'json.get': 'other',
    constructor: 'other',
  };
  for (const [command, expected] of Object.entries(cases))
    it(`of ${command} is ${expected}`, () => assert.equal(classOf(command), expected));
});

describe('what an event shows of a command', () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ['auth', 'app pencil', '[masked] [masked]'],
    ['auth', 'pencil', '[masked]'],
    ['hello', '3 AUTH app pencil SETNAME x', '3 AUTH [masked] [masked] SETNAME x'],
    ['acl|setuser', 'app on >pencil ~*', 'app on [masked] ~*'],
    ['config|set', 'requirepass pencil maxmemory 1', 'requirepass [masked] maxmemory 1'],
    ['config|set', 'masterauth pencil', 'masterauth [masked]'],
    ['migrate', 'h 1 k 0 9 AUTH2 app pencil', 'h 1 k 0 9 AUTH2 [masked] [masked]'],
    ['set', 'auth pencil', 'auth pencil'],
  ];
  for (const [name, words, shown] of cases)
    it(`${name} ${words} is ${shown}`, () => {
      const masked = maskArguments(
        name,
        words.split(' ').map((word) => Buffer.from(word)),
      );
      assert.equal(masked.join(' '), shown);
    });
});

describe('a reader of replies', () => {
  const replies = [
    '+OK\r\n', '-ERR no\r\n', ':1\r\n', '$5\r\na\r\nbc\r\n', '$-1\r\n', '$0\r\n\r\n', '*0\r\n', '*-1\r\n',
    '*2\r\n*1\r\n$1\r\nx\r\n:3\r\n', '%1\r\n+a\r\n#t\r\n', '~2\r\n,1.5\r\n(123\r\n', '_\r\n', '=6\r\ntxt:ab\r\n',
    '>2\r\n+message\r\n+x\r\n', '|1\r\n+ttl\r\n:3\r\n*1\r\n+value\r\n', '!5\r\nERR x\r\n',
  ]; // prettier-ignore

  for (const reply of replies)
    it(`knows where ${JSON.stringify(reply)} ends, wherever chunks do`, () => {
      const data = Buffer.from(reply);
      for (let at = 0; at < data.length; at++) {
        const reader = new ReplyReader();
        reader.read(data.subarray(0, at));
        assert.equal(reader.between, at === 0, `after ${at} bytes`);
        reader.read(data.subarray(at));
        assert.equal(reader.between, true);
      }
    });

  for (const lie of ['*x\r\n', '$9999999999999999\r\n', 'HTTP/1.1 200 OK\r\n', '$?\r\n', '\0\0\0\0', '$1\n'])
    it(`gives up on ${JSON.stringify(lie)}`, () => {
      const reader = new ReplyReader();
      reader.read(Buffer.from(lie));
      reader.read(Buffer.from('+OK\r\n'));
      assert.equal(reader.between, false);
    });

  it('is not fooled by nested arrays a million deep', () => {
    const reader = new ReplyReader();
    reader.read(Buffer.from('*1\r\n'.repeat(1_000_000)));
    assert.equal(reader.between, false);
    reader.read(Buffer.from(':1\r\n'));
    assert.equal(reader.between, true);
  });
});

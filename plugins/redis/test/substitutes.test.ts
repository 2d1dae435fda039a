import assert from 'node:assert/strict';
import { Substitutes } from '../src/substitutes.js';
import { errorReply } from '../src/wire.js';

/** What a server says to a command that it does not know. */
const unknown = (command: Buffer): string => {
  const name = /\r\n(postern-[0-9a-f]+)\r\n$/.exec(command.toString())?.[1] ?? '';
  return `-ERR unknown command '${name}', with args beginning with: \r\n`;
};

describe('a substitute for a reply', () => {
  it('takes the place of the server’s, wherever chunks end', () => {
    const before = '$9\r\n-ERR a\r\nb\r\n';
    const after = '+OK\r\n';
    const size = before.length + 90 + after.length;
    for (let at = 0; at <= size; at++) {
      const substitutes = new Substitutes();
      const data = before + unknown(substitutes.add(errorReply('NOPERM', 'no'))) + after;
      const got = [data.slice(0, at), data.slice(at)].map((part) => substitutes.filter(Buffer.from(part)).toString());
      assert.equal(got.join(''), `${before}-NOPERM no\r\n${after}`, `split at ${at}`);
    }
  });

  it('comes in the order of the commands', () => {
    const substitutes = new Substitutes();
    const one = unknown(substitutes.add(Buffer.from('+one\r\n')));
    const two = unknown(substitutes.add(Buffer.from('+two\r\n')));
    assert.equal(
      substitutes.filter(Buffer.from(`${one}:1\r\n${two}:2\r\n`)).toString(),
      '+one\r\n:1\r\n+two\r\n:2\r\n',
    );
  });

  it('holds no chunk back once nothing is missing', () => {
    const substitutes = new Substitutes();
    substitutes.filter(Buffer.from(unknown(substitutes.add(Buffer.from('+one\r\n')))));
    const chunk = Buffer.from('-ERR half');
    assert.equal(substitutes.filter(chunk), chunk);
  });

  it('holds back no more than a line, however the server lies', () => {
    const substitutes = new Substitutes();
    substitutes.add(Buffer.from('+one\r\n'));
    let passed = 0;
    for (let round = 0; round < 200; round++)
      passed += substitutes.filter(Buffer.from(`\r\n-${'x'.repeat(1000)}`)).length;
    assert.ok(passed > 200 * 1000 - 1100, `${passed} bytes`);
  });

  it('turns a line break in a reason into a space, so that nothing can be smuggled behind it', () => {
    assert.equal(errorReply('NOPERM', 'no\r\n+OK').toString(), '-NOPERM no +OK\r\n');
  });
});

import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { LineEditor } from '../../src/cli/prompt/line-editor.js';
import { LinePrompter } from '../../src/cli/prompt/line-prompter.js';
import { askNewPassword } from '../../src/cli/prompt/new-password.js';

function typed(text: string): { readonly text: string; readonly last: string } {
  const editor = new LineEditor();
  let last = 'typing';
  for (const character of text) last = editor.type(character);
  return { text: editor.text, last };
}

describe('a line that is typed', () => {
  const cases = [
    { keys: 'abc\r', want: { text: 'abc', last: 'entered' } },
    { keys: 'abd\u007fc\n', want: { text: 'abc', last: 'entered' } },
    { keys: 'wrong\u0015right\r', want: { text: 'right', last: 'entered' } },
    { keys: '\u007f\u007fa\r', want: { text: 'a', last: 'entered' } },
    { keys: 'a\u001b[Db\u001b[1;5Cc\u001bOPd\r', want: { text: 'abcd', last: 'entered' } },
    { keys: 'a\u0003', want: { text: 'a', last: 'interrupted' } },
    { keys: '\u0004', want: { text: '', last: 'ended' } },
    { keys: 'a\u0004', want: { text: 'a', last: 'typing' } },
    { keys: 'pä\u{1f511}s\u007f\u007f\r', want: { text: 'pä', last: 'entered' } },
  ];
  for (const { keys, want } of cases)
    it(`${JSON.stringify(keys)} is ${JSON.stringify(want.text)}, ${want.last}`, () => {
      assert.deepEqual(typed(keys), want);
    });

  it('has a bound', () => {
    assert.equal(typed('x'.repeat(100_000)).text.length, 4096);
  });
});

describe('answers from a pipe', () => {
  it('are lines, however they arrive', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.stringMatching(/^[ -~é]{0,10}$/), { minLength: 1, maxLength: 5 }),
        fc.constantFrom('\n', '\r\n'),
        fc.nat(5),
        async (lines, eol, size) => {
          const bytes = Buffer.from(`${lines.join(eol)}${eol}`);
          const chunks = Array.from({ length: Math.ceil(bytes.length / (size + 1)) }, (_, index) =>
            bytes.subarray(index * (size + 1), (index + 1) * (size + 1)),
          );
          using prompter = new LinePrompter(Readable.from(chunks));
          for (const line of lines) assert.equal(await prompter.hidden('x'), line);
          await assert.rejects(prompter.ask('the code'), {
            code: 'invalid_argument',
            message: /the code was expected/,
          });
        },
      ),
    );
  });

  it('may end without a line end', async () => {
    using prompter = new LinePrompter(Readable.from([Buffer.from('a\nb')]));
    assert.equal(await prompter.ask('x'), 'a');
    assert.equal(await prompter.ask('x'), 'b');
  });

  it('that never end a line are refused', async () => {
    using prompter = new LinePrompter(Readable.from([Buffer.alloc(10_000, 'x')]));
    await assert.rejects(prompter.ask('x'), { code: 'invalid_argument' });
  });

  it('give a new password only where it comes twice', async () => {
    using same = new LinePrompter(Readable.from([Buffer.from('secret\nsecret\n')]));
    assert.equal(await askNewPassword(same), 'secret');
    using other = new LinePrompter(Readable.from([Buffer.from('secret\nsecrte\n')]));
    await assert.rejects(askNewPassword(other), { code: 'invalid_argument' });
  });
});

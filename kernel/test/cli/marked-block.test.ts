import assert from 'node:assert/strict';
import fc from 'fast-check';
import { compose, joinByFile } from '../../src/cli/additions/compose.js';
import { withBlock, withoutBlock } from '../../src/cli/additions/marked-block.js';

const marks = { cluster: 'access.example.com', comment: '#' };

/** Files as people leave them: any lines, either line end or both, with or without one at the end. */
const file = fc
  .array(fc.tuple(fc.stringMatching(/^[ -~\u00e9]{0,12}$/), fc.constantFrom('\n', '\r\n')), { maxLength: 8 })
  .chain((lines) => fc.constantFrom(lines.flat().join(''), lines.flat().slice(0, -1).join('')));
const body = fc
  .array(fc.stringMatching(/^[ -~]{1,12}$/), { minLength: 1, maxLength: 4 })
  .map((lines) => `${lines.join('\n')}\n`);
const place = fc.constantFrom('top' as const, 'bottom' as const);

describe('a marked block', () => {
  it('comes and goes without a trace, whatever the file', () => {
    fc.assert(
      fc.property(file, body, place, (text, lines, where) => {
        assert.equal(withoutBlock(withBlock(text, marks, lines, where), marks), text);
      }),
    );
  });

  it('is replaced where it stands, and only once', () => {
    fc.assert(
      fc.property(file, body, body, place, (text, first, second, where) => {
        const replaced = withBlock(withBlock(text, marks, first, where), marks, second, where);
        assert.equal(replaced, withBlock(text, marks, second, where));
        assert.equal(replaced.split('postern begin').length, 2);
      }),
    );
  });

  it('leaves the blocks of other clusters alone', () => {
    const other = { cluster: 'other.example.com', comment: '#' };
    fc.assert(
      fc.property(file, body, body, place, (text, mine, theirs, where) => {
        const both = withBlock(withBlock(text, other, theirs, where), marks, mine, where);
        assert.equal(withoutBlock(both, marks), withBlock(text, other, theirs, where));
      }),
    );
  });

  it('ends its lines as the file does', () => {
    assert.equal(
      withBlock('Host a\r\n', marks, 'Host b\nPort 1\n', 'bottom'),
      'Host a\r\n# postern begin access.example.com\r\nHost b\r\nPort 1\r\n# postern end access.example.com\r\n',
    );
  });

  it('is found by whole lines only', () => {
    const text = '## postern begin access.example.com\nHost a\n# postern begin access.example.com.evil\n';
    assert.equal(withoutBlock(text, marks), text);
  });

  it('without its end is an error, not a reason to delete the rest of the file', () => {
    assert.throws(() => withBlock('# postern begin access.example.com\nHost mine\n', marks, 'x\n', 'top'), {
      code: 'conflict',
    });
  });
});

describe('the parts of a block', () => {
  const sections = [
    { name: 'web', pattern: /^Host web$/gm, text: 'Host web\n  Port 1' },
    { name: 'db', pattern: /^Host db$/m, text: 'Host db\n  Port 2\n' },
  ];

  it('leave out what the user has written, every time', () => {
    for (let time = 0; time < 3; time++) {
      const { body, omitted } = compose({ text: 'Include x', sections }, 'Host web\n  Port 9\n');
      assert.equal(body, 'Host db\n  Port 2\nInclude x\n');
      assert.deepEqual(omitted, ['web']);
    }
  });

  it('of several plugins become one block', () => {
    const common = { file: '.rc', comment: '#', place: 'top' as const };
    const [joined, ...more] = joinByFile([
      { ...common, text: 'a\n' },
      { ...common, text: 'b\n', sections },
    ]);
    assert.equal(joined?.text, 'a\nb\n');
    assert.equal(joined?.sections?.length, 2);
    assert.equal(more.length, 0);
  });
});

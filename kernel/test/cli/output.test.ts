import assert from 'node:assert/strict';
import { PosternError } from '@postern/plugin-sdk';
import { exitCodeOf } from '../../src/cli/exit-codes.js';
import { errorText } from '../../src/cli/output/error-text.js';
import { table } from '../../src/cli/output/table.js';
import { duration, relativeTime, sizeText } from '../../src/cli/output/words.js';

const columns = [
  { title: 'NAME', value: ({ name }: { name: string; text: string }) => name },
  { title: 'TEXT', value: ({ text }: { name: string; text: string }) => text },
];

describe('a table', () => {
  it('is aligned, and has no blanks at the end', () => {
    const rows = [
      { name: 'a', text: 'one' },
      { name: 'longer', text: '' },
    ];
    assert.equal(table(rows, columns), 'NAME    TEXT\na       one\nlonger\n');
  });

  it('loses the end of its widest column on a narrow terminal', () => {
    const text = table([{ name: 'a', text: 'x'.repeat(50) }], columns, 20);
    assert.equal(text, `NAME  TEXT\na     ${'x'.repeat(13)}…\n`);
  });

  it('counts characters, not code units', () => {
    assert.equal(table([{ name: '🔑🔑🔑🔑🔑', text: 'x' }], columns), 'NAME   TEXT\n🔑🔑🔑🔑🔑  x\n');
  });

  it('cannot be used to write to the terminal of whoever lists things', () => {
    const text = table([{ name: '\u001b[2Jevil\u0007', text: 'a\nb\u202ec' }], columns);
    assert.doesNotMatch(text, /[\u001b\u0007\u202e]/);
    assert.equal(text.split('\n').length, 3);
  });
});

describe('an error', () => {
  it('is one line, with what to do next below it', () => {
    assert.equal(
      errorText('psh', PosternError.public('expired', 'too late\nlog in'), false),
      'psh: too late\n  log in\n',
    );
  });

  it('shows no stack unless asked', () => {
    assert.equal(errorText('psh', new Error('boom'), false), 'psh: boom\n');
    assert.match(
      errorText('psh', new Error('boom', { cause: new Error('why') }), true),
      /at .*output\.test.*caused by/s,
    );
  });

  it('ends in a documented code', () => {
    assert.equal(exitCodeOf(PosternError.public('invalid_argument', 'x')), 2);
    assert.equal(exitCodeOf(PosternError.public('access_denied', 'x')), 1);
    assert.equal(exitCodeOf(PosternError.public('aborted', 'x')), 130);
    assert.equal(exitCodeOf(new TypeError('x')), 1);
  });
});

describe('words', () => {
  it('say times in one unit', () => {
    const cases = [
      [5, '5s'],
      [59.6, '1m'],
      [90, '2m'],
      [3600, '1h'],
      [43_199, '12h'],
      [86_400, '24h'],
      [172_800, '2d'],
    ] as const;
    for (const [seconds, want] of cases) assert.equal(duration(seconds), want);
    assert.equal(relativeTime(new Date(61_000), new Date(0)), 'in 1m');
    assert.equal(relativeTime(new Date(0), new Date(5000)), '5s ago');
  });

  it('say sizes', () => {
    assert.deepEqual([0, 1023, 1024, 1_572_864].map(sizeText), ['0 B', '1023 B', '1.0 KiB', '1.5 MiB']);
  });
});

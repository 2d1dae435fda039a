import { PosternError } from '@postern/plugin-sdk';

/** The marked block of one cluster in a file that belongs to somebody else. */
export interface BlockMarks {
  readonly cluster: string;
  /** What begins a comment in this file. */
  readonly comment: string;
}

interface Found {
  readonly before: string;
  readonly after: string;
}

/**
 * Puts a block into a text, in place of the one that is there. Every other byte
 * stays; lines of the block end as those of the text do. An empty body takes
 * the block away, so that {@link withBlock} and then `withBlock(…, '')` is the
 * identity.
 */
export function withBlock(text: string, marks: BlockMarks, body: string, place: 'top' | 'bottom'): string {
  const found = findBlock(text, marks);
  const { before, after } = found ?? (place === 'top' ? { before: '', after: text } : { before: text, after: '' });
  if (body === '') return found ? before + after : text;
  const eol = /\r\n/.test(before + after) ? '\r\n' : '\n';
  const lines = [begin(marks), ...body.replace(/\r?\n$/, '').split(/\r?\n/), end(marks)];
  const block = lines.join(eol);
  // A text whose last line does not end keeps it so: there the block brings the line end before it.
  if (after === '' && before !== '' && !before.endsWith('\n')) return before + eol + block;
  return before + block + eol + after;
}

/** The text without the block. */
export const withoutBlock = (text: string, marks: BlockMarks): string => withBlock(text, marks, '', 'top');

const begin = ({ comment, cluster }: BlockMarks): string => `${comment} postern begin ${cluster}`;
const end = ({ comment, cluster }: BlockMarks): string => `${comment} postern end ${cluster}`;

function findBlock(text: string, marks: BlockMarks): Found | undefined {
  const from = lineAt(text, begin(marks), 0);
  if (!from) return undefined;
  const to = lineAt(text, end(marks), from.end);
  if (!to)
    throw PosternError.public('conflict', `the line "${begin(marks)}" has no "${end(marks)}" after it: remove it`);
  const after = text.slice(to.end);
  const before = text.slice(0, from.start);
  const endsInside = to.end === text.length && !text.endsWith('\n');
  return { before: endsInside ? before.replace(/\r?\n$/, '') : before, after };
}

/** Where a whole line is, its line end included. */
function lineAt(
  text: string,
  line: string,
  from: number,
): { readonly start: number; readonly end: number } | undefined {
  for (let start = from; (start = text.indexOf(line, start)) >= 0; start += line.length) {
    if (start > 0 && text[start - 1] !== '\n') continue;
    const rest = /^(?:\r?\n|$)/.exec(text.slice(start + line.length, start + line.length + 2));
    if (rest) return { start, end: start + line.length + rest[0].length };
  }
  return undefined;
}

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';

const root = new URL('../../../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');

interface Block {
  readonly language: string;
  /** What the opening fence says behind the language. */
  readonly mark: string;
  readonly text: string;
}

/** The code blocks of a Markdown text. */
function blocksOf(markdown: string): Block[] {
  const fences = /^```(\w*) ?([^\n]*)\n([\s\S]*?)^```$/gm;
  return [...markdown.matchAll(fences)].map(([, language = '', mark = '', text = '']) => ({ language, mark, text }));
}

describe('docs/writing-a-plugin.md', () => {
  const blocks = blocksOf(read('docs/writing-a-plugin.md'));
  /** The blocks of each file that is named, in their order. */
  const files = new Map<string, string[]>();
  for (const { mark, text } of blocks)
    if (mark.startsWith('docs/')) files.set(mark, [...(files.get(mark) ?? []), text]);

  it('quotes the whole plugin', () => {
    const sources = (readdirSync(new URL('docs/examples/memcached/src', root), { recursive: true }) as string[]).map(
      (file) => `docs/examples/memcached/src/${file}`,
    );
    for (const file of [...sources, 'docs/examples/memcached/package.json']) assert.ok(files.has(file), file);
  });

  for (const [file, parts] of files)
    it(`quotes ${file} as it is, from its first line to its last`, () => {
      assert.equal(parts.join('\n'), read(file));
    });

  it('has no code that is quoted from nowhere', () => {
    const loose = blocks.filter(({ language, mark }) => /^(ts|js|json)$/.test(language) && mark === '');
    assert.deepEqual(loose, []);
  });

  it('links to files that exist', () => {
    for (const [, target = ''] of read('docs/writing-a-plugin.md').matchAll(/\]\((?!http)([^)#]+)[^)]*\)/g))
      assert.ok(read(`docs/${target}`).length > 0, target);
  });
});

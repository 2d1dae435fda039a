import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { errorCodes } from '@postern/plugin-sdk';
import { Catalog, renderCatalog } from '@postern/kernel/audit';
import { standardPlugins } from '../../config/src/standard.js';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

describe('documents', () => {
  it('docs/errors.md lists every error code, and no other', () => {
    const documented = [...read('docs/errors.md').matchAll(/^\| `(\w+)` +\|/gm)].map(([, code]) => code);
    assert.deepEqual(documented, [...errorCodes]);
  });

  it('docs/events.md is the catalogue as it is (npm run events writes it)', () => {
    const catalog = Catalog.of(standardPlugins.map(({ protocol }) => protocol));
    assert.equal(read('docs/events.md'), renderCatalog(catalog));
  });

  it('every relative link of the README leads somewhere', () => {
    for (const [, target] of read('README.md').matchAll(/\]\((?!https?:)([^)#]+)\)/g))
      assert.ok(target && readFileSyncOrFolder(target), `${target} does not exist`);
  });
});

function readFileSyncOrFolder(path: string): boolean {
  try {
    read(path);
    return true;
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === 'EISDIR' || read(`${path}/README.md`) !== '';
  }
}

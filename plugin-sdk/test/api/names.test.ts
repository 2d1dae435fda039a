import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Plugin } from '@postern/plugin-sdk';
import ts from 'typescript';

const source = new URL('../../src/', import.meta.url);
const snapshot = new URL('names.txt', import.meta.url);
const entries = {
  '@postern/plugin-sdk': 'index.ts',
  '/host': 'host/index.ts',
  '/http1': 'http1/index.ts',
  '/testing': 'testing/index.ts',
};

const parse = (file: URL): ts.SourceFile =>
  ts.createSourceFile(fileURLToPath(file), readFileSync(file, 'utf8'), ts.ScriptTarget.ES2023, true);

const kinds = new Map<ts.SyntaxKind, string>([
  [ts.SyntaxKind.ClassDeclaration, 'class'],
  [ts.SyntaxKind.FunctionDeclaration, 'function'],
  [ts.SyntaxKind.InterfaceDeclaration, 'interface'],
  [ts.SyntaxKind.TypeAliasDeclaration, 'type'],
]);

/** What a file declares under a name: a class, or perhaps an interface and a constant of the same name. */
function declared(file: URL, name: string): string[] {
  return parse(file).statements.flatMap((statement) => {
    if (ts.isVariableStatement(statement))
      return statement.declarationList.declarations.filter((one) => one.name.getText() === name).map(() => 'const');
    if (ts.isExportDeclaration(statement)) return reexported(file, statement, name);
    const kind = kinds.get(statement.kind);
    return kind && (statement as ts.DeclarationStatement).name?.getText() === name ? [kind] : [];
  });
}

function reexported(file: URL, statement: ts.ExportDeclaration, name: string): string[] {
  const specifiers = specifiersOf(statement).filter((one) => one.name.text === name);
  return specifiers.flatMap((one) => {
    if (!statement.moduleSpecifier) return [];
    const path = (statement.moduleSpecifier as ts.StringLiteral).text;
    if (!path.startsWith('.')) return [`from ${path}`];
    return declared(new URL(path.replace(/\.js$/, '.ts'), file), (one.propertyName ?? one.name).text);
  });
}

const specifiersOf = ({ exportClause }: ts.ExportDeclaration): readonly ts.ExportSpecifier[] =>
  exportClause && ts.isNamedExports(exportClause) ? exportClause.elements : [];

/** Every exported name of an entry, with what it is. */
function exported(entry: string): string[] {
  const file = new URL(entry, source);
  const names = parse(file).statements.flatMap((statement) => {
    assert.ok(ts.isExportDeclaration(statement), `${entry} does more than re-export`);
    assert.ok(statement.exportClause && ts.isNamedExports(statement.exportClause), `${entry} exports without naming`);
    return specifiersOf(statement).map((one) => one.name.text);
  });
  return [...new Set(names)].sort().map((name) => {
    const what = declared(file, name);
    assert.ok(what.length > 0, `${entry} exports ${name}, which is nowhere`);
    return `${what.sort().join(' and ')} ${name}`;
  });
}

describe('the public names of the SDK', () => {
  it('are those of the snapshot; a change of them is a change of the contract', () => {
    const now = Object.entries(entries)
      .map(
        ([title, entry]) =>
          `${title}\n${exported(entry)
            .map((line) => `  ${line}\n`)
            .join('')}`,
      )
      .join('\n');
    if (process.env['POSTERN_UPDATE_SNAPSHOTS'] === '1') writeFileSync(snapshot, now);
    assert.equal(
      now,
      readFileSync(snapshot, 'utf8'),
      'if this was meant: POSTERN_UPDATE_SNAPSHOTS=1, and CHANGELOG.md',
    );
  });

  it('exist when the package is loaded', async () => {
    const modules: readonly Record<string, unknown>[] = [
      await import('@postern/plugin-sdk'),
      await import('@postern/plugin-sdk/host'),
      await import('@postern/plugin-sdk/http1'),
      await import('@postern/plugin-sdk/testing'),
    ];
    for (const [at, entry] of Object.values(entries).entries())
      for (const line of exported(entry)) {
        const [, what = '', name = ''] = /^(.*) (\S+)$/.exec(line) ?? [];
        const isValue = /class|function|const|from/.test(what);
        assert.equal(name in (modules[at] ?? {}), isValue, `${name} of ${entry}`);
      }
  });
});

describe('README.md of the SDK', () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');

  it('shows a plugin that can be loaded', async () => {
    const { resolve } = createRequire(import.meta.url);
    const [, code = ''] = /^```js\n([\s\S]*?)^```$/m.exec(readme) ?? [];
    const resolved = code.replaceAll(
      /from '([^']+)'/g,
      (_, name: string) => `from '${pathToFileURL(resolve(name)).href}'`,
    );
    const module = (await import(`data:text/javascript,${encodeURIComponent(resolved)}`)) as {
      readonly default: Plugin;
    };
    assert.equal(module.default.protocol.id, 'example');
    assert.equal(typeof (await module.default.agent()).Session, 'function');
  });

  it('names only what exists', () => {
    const known = new Set(
      Object.values(entries).flatMap((entry) => exported(entry).map((line) => line.split(' ').at(-1))),
    );
    const table = readme.slice(readme.indexOf('| name |'), readme.indexOf('## Four entries'));
    const named = [...table.matchAll(/^\| (?:`(\w+)`?[^|]*)/gm)].map(([, name]) => name);
    for (const name of named.filter((one) => one !== 'grant' && one !== 'context')) assert.ok(known.has(name), name);
  });
});

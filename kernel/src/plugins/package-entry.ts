import { readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';

/** The conditions under which a plugin is imported, the first that a package lists wins. */
const conditions: ReadonlySet<string> = new Set(['node', 'import', 'module-sync', 'default']);

/** The file by which a path is imported: itself, or the entry of the package that is a directory. Throws where there is none. */
export function entryOfPath(path: string): string {
  return statSync(path).isDirectory() ? entryOfPackage(path) : path;
}

/** The file by which an installed package is imported from a directory; `undefined` where none is installed there. */
export function entryOfInstalled(directory: string, name: string): string | undefined {
  const folders = createRequire(join(resolve(directory), 'postern.yaml')).resolve.paths(name) ?? [];
  const found = folders.map((folder) => join(folder, name)).find(isPackage);
  return found === undefined ? undefined : entryOfPackage(found);
}

/**
 * What `import` would load of a package (Node.js, "Package entry points").
 * `createRequire` answers what `require` would, which packages of ECMAScript
 * modules need not have.
 */
function entryOfPackage(directory: string): string {
  const { exports, main } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as Readonly<
    Record<string, unknown>
  >;
  const entry = exports === undefined ? (main ?? 'index.js') : exported(exports);
  if (typeof entry !== 'string') throw new Error(`${directory} exports nothing that can be imported`);
  return resolve(directory, entry);
}

function exported(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value);
  if (entries.some(([key]) => key.startsWith('.'))) return exported((value as Record<string, unknown>)['.']);
  for (const [key, nested] of entries) {
    const found = conditions.has(key) ? exported(nested) : undefined;
    if (typeof found === 'string') return found;
  }
  return undefined;
}

function isPackage(directory: string): boolean {
  try {
    return statSync(join(directory, 'package.json')).isFile();
  } catch {
    return false;
  }
}

import { isUtf8 } from 'node:buffer';
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { PosternError } from '@postern/plugin-sdk';
import { DocumentSource } from './document-source.js';
import { configuration, type Configuration } from './schema.js';
import { resolveStorage } from './storage.js';

/** A configuration whose relative paths have been resolved against the file that it came from. */
export interface LoadedConfiguration {
  readonly configuration: Configuration;
  readonly file: string | undefined;
  /** Points at a part of the file for errors that only a plugin's own schema can find. */
  readonly source: DocumentSource;
}

/** Reads and checks `postern.yaml`. Throws `invalid_config`, or `not_found` where the file cannot be read. */
export async function loadConfiguration(file: string): Promise<LoadedConfiguration> {
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw PosternError.public('not_found', `cannot read ${file}`, cause);
  });
  return parseConfiguration(utf8(bytes, file), file);
}

/** Checks the text of a configuration file. */
export function parseConfiguration(text: string, file: string): LoadedConfiguration {
  const [source = emptyDocument(file), second] = DocumentSource.parse(text, file);
  if (second) {
    const problem = 'a second document begins here; a configuration is exactly one YAML document';
    throw PosternError.public('invalid_config', `${second.at([])}: ${problem}`);
  }
  const checked = source.check(configuration);
  const base = dirname(resolve(file));
  const data = resolve(base, checked.data);
  const wrapping = checked.auth.wrapping_key;
  const { certificate, key } = checked.proxy.web;
  const files = { certificate: certificate && resolve(base, certificate), key: key && resolve(base, key) };
  return {
    file,
    source,
    configuration: Object.freeze({
      ...checked,
      data,
      storage: resolveStorage(checked.storage, base),
      proxy: { ...checked.proxy, web: { ...checked.proxy.web, ...files } },
      auth: { ...checked.auth, wrapping_key: wrapping && resolve(base, wrapping) },
    }),
  };
}

/** What a file says that has nothing in it but comments. */
function emptyDocument(file: string): DocumentSource {
  const [source] = DocumentSource.parse('{}', file);
  if (!source) throw new PosternError('internal', 'an empty mapping is a document');
  return source;
}

/** Throws `invalid_config` that says where the first byte stands that is no UTF-8. */
function utf8(bytes: Buffer, file: string): string {
  const text = bytes.toString();
  if (isUtf8(bytes)) return text;
  const before = bytes.subarray(0, firstDifference(bytes, Buffer.from(text))).toString();
  const lines = before.split('\n');
  const position = `${file}:${lines.length}:${(lines.at(-1) ?? '').length + 1}`;
  throw PosternError.public('invalid_config', `${position}: this is not UTF-8`);
}

function firstDifference(a: Buffer, b: Buffer): number {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at += 1;
  return at;
}

import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { PosternError } from '@postern/plugin-sdk';
import { DocumentSource } from './document-source.js';
import { configuration, type Configuration } from './schema.js';

/** A configuration whose relative paths have been resolved against the file that it came from. */
export interface LoadedConfiguration {
  readonly configuration: Configuration;
  readonly file: string | undefined;
  /** Points at a part of the file for errors that only a plugin's own schema can find. */
  readonly source: DocumentSource;
}

/** Reads and checks `postern.yaml`. Throws `invalid_config`, or `not_found` where the file cannot be read. */
export async function loadConfiguration(file: string): Promise<LoadedConfiguration> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw PosternError.public('not_found', `cannot read ${file}`, cause);
  });
  return parseConfiguration(text, file);
}

/** Checks the text of a configuration file. */
export function parseConfiguration(text: string, file: string): LoadedConfiguration {
  const sources = DocumentSource.parse(text.trim() === '' ? '{}' : text, file);
  const [source] = sources;
  if (!source || sources.length > 1)
    throw PosternError.public('invalid_config', `${file}: a configuration is exactly one YAML document`);
  const checked = source.check(configuration);
  const base = dirname(resolve(file));
  const data = resolve(base, checked.data);
  const wrapping = checked.auth.wrapping_key;
  return {
    file,
    source,
    configuration: Object.freeze({
      ...checked,
      data,
      auth: { ...checked.auth, wrapping_key: wrapping && resolve(base, wrapping) },
    }),
  };
}

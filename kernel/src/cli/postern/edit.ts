import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { PosternError } from '@postern/plugin-sdk';
import { getDocument, putDocument } from '../../api/contract/documents.js';
import { DocumentSource } from '../../configuration/document-source.js';
import { yamlText } from '../output/yaml.js';
import { runNative } from '../run-native.js';
import { documentName } from './document-name.js';
import { withAdmin, type AdminOptions } from './with-admin.js';

const edited = z.looseObject({ kind: z.string(), name: z.string() });

/** `postern edit`: what somebody else has changed meanwhile is not overwritten, and a refused text is kept. */
export async function edit(kind: string, name: string | undefined, options: AdminOptions): Promise<void> {
  const wanted = documentName(kind, name);
  const { revision, ...before } = await withAdmin(options, (client) => client.call(getDocument, wanted));
  const text = yamlText(before);
  const directory = await mkdtemp(join(tmpdir(), 'postern-edit-'));
  const file = join(directory, `${wanted.kind}-${wanted.name}.yaml`);
  await writeFile(file, text, { mode: 0o600 });
  await openEditor(file).catch(async (cause: unknown) => {
    await rm(directory, { recursive: true });
    throw cause;
  });
  const after = await readFile(file, 'utf8');
  if (after === text) {
    process.stdout.write('nothing was changed\n');
    return rm(directory, { recursive: true });
  }
  try {
    const [source, ...more] = DocumentSource.parse(after, file);
    if (!source || more.length > 0) throw PosternError.public('invalid_argument', `${file}: write one document`);
    const document = { ...source.check(edited), ...(revision !== undefined && { revision }) };
    const { warnings } = await withAdmin(options, (client) => client.call(putDocument, { ...wanted, document }));
    for (const warning of warnings) process.stderr.write(`postern: ${warning}\n`);
  } catch (cause) {
    const { code, message } = PosternError.from(cause);
    throw PosternError.public(code, `${message}\nyour text is kept in ${file}`, cause);
  }
  await rm(directory, { recursive: true });
  process.stdout.write(`${wanted.kind} ${wanted.name} replaced\n`);
}

/** Editors are configured as command lines, which a shell reads. The file is an argument, and no part of that line. */
async function openEditor(file: string): Promise<void> {
  const editor = process.env['VISUAL'] ?? process.env['EDITOR'] ?? 'vi';
  const code = await runNative({ program: '/bin/sh', args: ['-c', `${editor} "$1"`, 'editor', file] });
  if (code !== 0) throw PosternError.public('aborted', `the editor ended with code ${code}; nothing was changed`);
}

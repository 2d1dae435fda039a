import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { PosternError } from '@postern/plugin-sdk';
import { deleteDocument, getDocument, listDocuments, putDocument } from '../../api/contract/documents.js';
import { DocumentSource } from '../../configuration/document-source.js';
import type { Format } from '../output/formats.js';
import { showRows, showValue } from '../output/show.js';
import { yamlText } from '../output/yaml.js';
import { documentName } from './document-name.js';
import { withAdmin, type AdminOptions } from './with-admin.js';

type Options = AdminOptions & { readonly format: Format };

const written = z.looseObject({ kind: z.string(), name: z.string() });

/** One document, or all of a kind. What it prints can be given to {@link create}. */
export async function get(kind: string, name: string | undefined, options: Options): Promise<void> {
  const one = name !== undefined || kind.includes('/');
  const found = await withAdmin<unknown>(options, (client) =>
    one ? client.call(getDocument, documentName(kind, name)) : client.call(listDocuments, { kind }),
  );
  if (options.format === 'json') return showValue(found, 'json');
  process.stdout.write([found].flat().map(yamlText).join('---\n'));
}

export async function create({
  file: files,
  ...options
}: Options & { readonly file: readonly string[] }): Promise<void> {
  // All files are read and understood before the first document is sent.
  const texts = await Promise.all(files.map(async (file) => ({ file, text: await textOf(file) })));
  const documents = texts.flatMap(({ file, text }) =>
    DocumentSource.parse(text, file)
      .filter((source) => source.value() !== null)
      .map((source) => ({ source, document: source.check(written) })),
  );
  if (documents.length === 0) throw PosternError.public('invalid_argument', `no document in ${files.join(', ')}`);
  await withAdmin(options, async (client) => {
    for (const { source, document } of documents) {
      const { kind, name } = document;
      const put = client.call(putDocument, { kind, name, document });
      const { created, warnings } = await put.catch((cause: unknown) => {
        const { code, message } = PosternError.from(cause);
        throw PosternError.public(code, `${source.at([])}: ${message}`, cause);
      });
      for (const warning of warnings) process.stderr.write(`postern: ${source.at([])}: ${warning}\n`);
      process.stdout.write(`${kind} ${name} ${created ? 'created' : 'replaced'}\n`);
    }
  });
}

export async function remove(kind: string, name: string | undefined, options: Options): Promise<void> {
  const wanted = documentName(kind, name);
  await withAdmin(options, (client) => client.call(deleteDocument, wanted));
  process.stdout.write(`${wanted.kind} ${wanted.name} deleted\n`);
}

export async function listRoles(options: Options): Promise<void> {
  const roles = await withAdmin(options, (client) => client.call(listDocuments, { kind: 'role' }));
  await showRows(
    roles,
    [
      { title: 'NAME', value: ({ name }) => name },
      { title: 'DESCRIPTION', value: (role) => (typeof role['description'] === 'string' ? role['description'] : '') },
    ],
    options.format,
  );
}

async function textOf(file: string): Promise<string> {
  if (file !== '-')
    return readFile(file, 'utf8').catch((cause: unknown) => {
      throw PosternError.public('not_found', `cannot read ${file}`, cause);
    });
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

import { sensitivityOf, type EventType } from '@postern/plugin-sdk';
import { z } from 'zod';
import type { Catalog } from './catalog.js';

const heading = `# Audit events

Every event is one line of JSON. The members of its envelope are the same for all types, in this order:
\`id\` (UUID version 7), \`time\` (RFC 3339, UTC), \`type\`, \`cluster\`, \`agent\` (the instance that observed it),
\`stream\` and \`sequence\` (which count, from 1 and without a gap, what that instance observed), and where they apply
\`session\`, \`user\`, \`resource\` (\`kind\`, \`name\`), \`source\` (the client's address) and \`part\`. Then come the
\`fields\` of the type, listed below. Types are append-only: one that is retired stays listed and is never used again.

Values of *sensitive* fields are masked for readers without the right to see them; *secret* ones never reach the log.
`;

/** The catalogue as a document for people, in Markdown. The same catalogue always gives the same text. */
export function renderCatalog(catalog: Catalog): string {
  const sections: string[] = [heading];
  let area = '';
  for (const [name, type] of catalog.entries()) {
    const own = name.split('.', 1)[0] ?? '';
    if (own !== area) sections.push(`## ${own}\n`);
    area = own;
    sections.push(section(name, type));
  }
  return sections.join('\n');
}

function section(name: string, type: EventType): string {
  const rows = Object.entries(type.fields.shape as Readonly<Record<string, z.ZodType>>).map(row);
  if (rows.length === 0) return `### ${name}\n\n${type.summary}\n`;
  const table = ['| field | type | seen by | |', '| --- | --- | --- | --- |', ...rows].join('\n');
  return `### ${name}\n\n${type.summary}\n\n${table}\n`;
}

const readers = { public: 'everybody', sensitive: 'readers with the right', secret: 'nobody' } as const;

function row([name, schema]: readonly [string, z.ZodType]): string {
  const optional = schema.safeParse(undefined).success ? 'optional' : '';
  const cells = [`\`${name}\``, typeName(schema), readers[sensitivityOf(schema)], optional];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
}

const typeName = (schema: z.ZodType): string =>
  describe(z.toJSONSchema(schema, { unrepresentable: 'any', io: 'output' }) as JsonSchema);

function describe(schema: JsonSchema): string {
  if (schema.enum) return schema.enum.map((value) => `\`${String(value)}\``).join(', ');
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``;
  if (schema.type === 'array') return `list of ${schema.items ? describe(schema.items) : 'anything'}`;
  if (schema.anyOf) return schema.anyOf.map(describe).join(' or ');
  return schema.type === undefined ? 'anything' : [schema.type].flat().join(' or ');
}

import { z } from 'zod';
import { stringify } from 'yaml';
import { PosternError } from '@postern/plugin-sdk';
import { configuration } from '../../configuration/index.js';

interface JsonSchema {
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
}

/**
 * A configuration with a comment to every key, from the schema itself. Keys
 * whose default is not to be set are commented out. What it says is what would
 * happen without it, save for the cluster's name.
 */
export function commentedConfiguration(cluster?: string): string {
  const parsed = configuration.safeParse({ ...(cluster !== undefined && { cluster }) });
  if (!parsed.success) throw PosternError.public('invalid_argument', parsed.error.issues[0]?.message ?? 'no such name');
  const schema = z.toJSONSchema(configuration, { io: 'input' }) as JsonSchema;
  const head = '# Configuration of Postern. Every key has a default; those that are set here are the defaults.\n\n';
  return head + block(schema, { cluster }, '').join('\n') + '\n';
}

function block(schema: JsonSchema, values: Readonly<Record<string, unknown>>, indent: string): readonly string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, member]) => [
    ...(member.description === undefined ? [] : [`${indent}# ${member.description}`]),
    ...entry(key, member, values[key], indent),
    ...(indent === '' ? [''] : []),
  ]);
}

function entry(key: string, member: JsonSchema, value: unknown, indent: string): readonly string[] {
  if (member.properties) {
    const inner = block(member, {}, `${indent}  `);
    // A key with nothing but comments below it would be `null`.
    const isSet = inner.some((line) => !line.trimStart().startsWith('#'));
    return [`${indent}${isSet ? '' : '# '}${key}:`, ...inner];
  }
  const shown = value ?? member.default;
  if (shown === undefined) return [`${indent}# ${key}:`];
  const text = stringify(shown, { collectionStyle: 'flow', lineWidth: 0 }).trimEnd();
  return [`${indent}${key}: ${text}`];
}

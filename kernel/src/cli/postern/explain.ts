import { explainAccess } from '../../api/contract/documents.js';
import { exitCodes } from '../exit-codes.js';
import { pair } from '../options.js';
import type { Format } from '../output/formats.js';
import { showValue } from '../output/show.js';
import { documentName } from './document-name.js';
import { withAdmin, type AdminOptions } from './with-admin.js';

/**
 * `postern rbac explain`. `resource` is `kind/name`; `ask` is `key=value`, where
 * numbers, `true` and `false` are what they look like. Exits with 1 where access
 * is denied.
 */
export async function explain(
  user: string,
  resource: string,
  ask: readonly string[],
  options: AdminOptions & { readonly format: Format },
): Promise<void> {
  const asked = ask.reduce<Readonly<Record<string, string>>>((before, text) => pair(text, before), {});
  const typed = Object.fromEntries(Object.entries(asked).map(([name, text]) => [name, valueOf(text)]));
  const target = documentName(resource, undefined);
  const decision = await withAdmin(options, (client) => client.call(explainAccess, { user, ...target, ask: typed }));
  if (options.format === 'table') process.stdout.write(`${decision.text}\n`);
  else await showValue(decision, options.format);
  if (!decision.allowed) process.exitCode = exitCodes.failed;
}

function valueOf(text: string): unknown {
  if (text === 'true' || text === 'false') return text === 'true';
  return /^(0|[1-9]\d{0,14})$/.test(text) ? Number(text) : text;
}

import { writeFile } from 'node:fs/promises';
import type { z } from 'zod';
import { getCheckpoint, searchEvents, tailEvents, type eventView } from '../../api/contract/audit.js';
import type { Format } from '../output/formats.js';
import { printable } from '../output/printable.js';
import { showValue } from '../output/show.js';
import { withAdmin, type AdminOptions } from './with-admin.js';

type Options = AdminOptions & { readonly format: Format };

export interface EventFilter {
  readonly type?: string;
  readonly user?: string;
  readonly session?: string;
  readonly resource?: string;
  readonly text?: string;
}

/** `postern audit tail`: until it is interrupted. */
export async function tail({ last, ...options }: Options & EventFilter & { readonly last: number }): Promise<void> {
  await withAdmin(options, async (client) => {
    for await (const event of client.stream(tailEvents, { ...filterOf(options), last }))
      process.stdout.write(options.format === 'table' ? lineOf(event) : `${JSON.stringify(event)}\n`);
  });
}

/** `postern audit search`. */
export async function search(
  options: Options & EventFilter & { readonly from?: string; readonly to?: string; readonly limit: number },
): Promise<void> {
  const { from, to, limit, format } = options;
  const wanted = { ...filterOf(options), ...defined({ from, to }), limit };
  const { events } = await withAdmin(options, (client) => client.call(searchEvents, wanted));
  if (format !== 'table') return showValue(events, format);
  if (events.length === 0) process.stderr.write('nothing found\n');
  for (const event of events) process.stdout.write(lineOf(event));
}

/** `postern audit checkpoint`. */
export async function checkpoint({ out, ...options }: Options & { readonly out?: string }): Promise<void> {
  const found = await withAdmin(options, (client) => client.call(getCheckpoint, {}));
  if (out !== undefined) {
    await writeFile(out, found.checkpoint);
    process.stdout.write(`written to ${out}; its key is ${found.verifier}\n`);
  } else if (options.format === 'table') process.stdout.write(found.checkpoint);
  else await showValue(found, options.format);
}

/** One event on one line: when, what, who, where, and then every field of its own. */
function lineOf(event: z.output<typeof eventView>): string {
  const { time, type } = event;
  const { user, resource, source, session, fields } = event as Readonly<Record<string, unknown>>;
  const where = typeof resource === 'object' && resource !== null ? Object.values(resource).join('/') : undefined;
  const named = Object.entries({ source, session, ...(fields as object | undefined) })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  const parts = [time, type.padEnd(22), user ?? '-', ...(where === undefined ? [] : [where]), ...named];
  return `${printable(parts.map(String).join('  '))}\n`;
}

const filterOf = ({ type, user, session, resource, text }: EventFilter): EventFilter =>
  defined({ type, user, session, resource, text });

const defined = <T extends object>(value: { readonly [K in keyof T]: T[K] | undefined }): T =>
  Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as T;

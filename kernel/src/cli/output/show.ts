import type { Format } from './formats.js';
import { table, type Column } from './table.js';

/** Writes rows to standard output: a table for people, the rows themselves for programs. */
export async function showRows<T>(rows: readonly T[], columns: readonly Column<T>[], format: Format): Promise<void> {
  if (format !== 'table') return showValue(rows, format);
  if (rows.length === 0) {
    process.stderr.write('nothing to show\n');
    return;
  }
  process.stdout.write(table(rows, columns, process.stdout.isTTY ? process.stdout.columns : undefined));
}

/** Writes a value for programs. */
export async function showValue(value: unknown, format: Exclude<Format, 'table'>): Promise<void> {
  if (format === 'json') process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
  else process.stdout.write((await import('./yaml.js')).yamlText(value));
}

/** Writes one thing: as `name  value` lines for people. */
export async function showFields(
  value: Readonly<Record<string, unknown>>,
  fields: readonly (readonly [string, string | undefined])[],
  format: Format,
): Promise<void> {
  if (format !== 'table') return showValue(value, format);
  const shown = fields.filter((field): field is readonly [string, string] => field[1] !== undefined);
  const columns: Column<readonly [string, string]>[] = [
    { title: '', value: ([name]) => name },
    { title: '', value: ([, text]) => text },
  ];
  process.stdout.write(table(shown, columns).split('\n').slice(1).join('\n'));
}

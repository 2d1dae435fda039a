import { printable } from './printable.js';

export interface Column<T> {
  readonly title: string;
  value(row: T): string;
}

const gap = 2;

/**
 * Rows as an aligned table with a line of titles. A table that is wider than
 * `width` loses the end of its widest columns; without a width nothing is cut.
 */
export function table<T>(rows: readonly T[], columns: readonly Column<T>[], width?: number): string {
  const cells = rows.map((row) => columns.map((column) => printable(column.value(row))));
  const widths = columns.map(({ title }, index) =>
    Math.max(title.length, ...cells.map((line) => lengthOf(line[index] ?? ''))),
  );
  if (width !== undefined) narrow(widths, columns, width);
  const lines = [columns.map(({ title }) => title), ...cells];
  return lines
    .map(
      (line) =>
        `${line
          .map((text, index) => fit(text, widths[index] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}

/** Takes from the widest column, one character at a time, and from none below its title. */
function narrow(widths: number[], columns: readonly Column<never>[], width: number): void {
  const total = (): number => widths.reduce((sum, one) => sum + one, gap * (widths.length - 1));
  while (total() > width) {
    const widest = widths.indexOf(Math.max(...widths));
    const floor = Math.max(4, columns[widest]?.title.length ?? 0);
    if ((widths[widest] ?? 0) <= floor) return;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
}

const lengthOf = (text: string): number => [...text].length;

function fit(text: string, width: number): string {
  const characters = [...text];
  if (characters.length > width) return `${characters.slice(0, width - 1).join('')}…`;
  return text + ' '.repeat(width - characters.length);
}

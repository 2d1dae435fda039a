/** The middle of several measurements: one that was disturbed does not count. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1] ?? NaN, sorted[Math.floor(middle)] ?? NaN];
  return (low + high) / 2;
}

/** The middle of the ratios of two series, each taken within one round. */
export function medianRatio(own: readonly number[], reference: readonly number[]): string {
  return median(own.map((value, round) => value / (reference[round] ?? NaN))).toFixed(2);
}

/** Prints a table in Markdown, as docs/performance.md holds it. */
export function printTable(
  title: string,
  head: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): void {
  console.log(`\n### ${title}\n`);
  console.log(`| ${head.join(' | ')} |`);
  console.log(`|${head.map((_, column) => (column === 0 ? '---' : '--:')).join('|')}|`);
  for (const row of rows) console.log(`| ${row.map(String).join(' | ')} |`);
}

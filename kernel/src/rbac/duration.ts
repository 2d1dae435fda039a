import { z } from 'zod';

const written = /^(?=.*[1-9])(?:(\d{1,4})d)?(?:(\d{1,5})h)?(?:(\d{1,6})m)?(?:(\d{1,8})s)?$/;

const unitsMs = [86_400_000, 3_600_000, 60_000, 1000] as const;
const letters = ['d', 'h', 'm', 's'] as const;

/** A length of time as people write it: `12h`, `1h30m`, `90s`, `7d`. Units from long to short, each once, not zero. */
export const duration = z.string().regex(written, 'write a length of time such as 12h, 30m, 1h30m or 90s');

/** Milliseconds, or nothing for a text that is no {@link duration}. */
export function parseDuration(text: string): number | undefined {
  const match = written.exec(text);
  if (!match) return undefined;
  return unitsMs.reduce((sum, unit, index) => sum + Number(match[index + 1] ?? 0) * unit, 0);
}

/** The shortest {@link duration} of this many milliseconds, rounded down to a second. */
export function formatDuration(ms: number): string {
  let rest = Math.floor(ms / 1000) * 1000;
  let text = '';
  unitsMs.forEach((unit, index) => {
    const count = Math.floor(rest / unit);
    rest -= count * unit;
    if (count > 0) text += `${count}${letters[index] ?? ''}`;
  });
  return text === '' ? '0s' : text;
}

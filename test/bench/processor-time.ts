import { readFileSync } from 'node:fs';

/** Clock ticks of Linux, which /proc counts in. */
const microsecondsPerTick = 10_000;

/** Microseconds of processor time that processes have used so far, with all their threads; user and system. */
export function processorTime(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + ticksOf(pid) * microsecondsPerTick, 0);
}

function ticksOf(pid: number): number {
  // The name in parentheses may hold spaces; user and system time are the 12th and 13th field behind it.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

/** Kilobytes of memory that processes hold now. */
export function residentKilobytes(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return sum + Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? NaN);
  }, 0);
}

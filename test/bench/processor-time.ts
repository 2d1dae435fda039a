import { readFileSync } from 'node:fs';

/** Clock ticks of Linux, which /proc counts in. */
const microsecondsPerTick = 10_000;

/** Microseconds of processor time that processes have used, this one or others; user and system. */
export function processorTime(pids: readonly number[]): number {
  if (pids.length === 0) {
    const { user, system } = process.cpuUsage();
    return user + system;
  }
  return pids.reduce((sum, pid) => sum + ticksOf(pid) * microsecondsPerTick, 0);
}

function ticksOf(pid: number): number {
  // The name in parentheses may hold spaces; user and system time are the 12th and 13th field behind it.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

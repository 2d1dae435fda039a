import { machineProcesses } from './process-table.js';

/**
 * The process groups of a terminal's session besides its leader's own: the jobs
 * of an interactive shell. Not every shell hangs up on them when it is hung up
 * on itself.
 */
export function jobGroups(session: number): readonly number[] {
  const groups = new Set<number>();
  for (const pid of machineProcesses.numbers()) {
    const one = machineProcesses.look(pid);
    if (one?.session === session && one.group !== session) groups.add(one.group);
  }
  return [...groups];
}

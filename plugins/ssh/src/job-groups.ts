import { readdirSync, readFileSync } from 'node:fs';

/**
 * The process groups of a terminal's session besides its leader's own: the jobs
 * of an interactive shell. Not every shell hangs up on them when it is hung up
 * on itself. Read from Linux's /proc; elsewhere there are none to be found.
 */
export function jobGroups(session: number): readonly number[] {
  const groups = new Set<number>();
  for (const name of listed('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    // The name in parentheses may hold anything; behind it come state, parent, group and session.
    const [, , group, member] = contents(`/proc/${name}/stat`)
      .replace(/^.*\) /s, '')
      .split(' ');
    if (Number(member) === session && Number(group) !== session) groups.add(Number(group));
  }
  return [...groups];
}

function listed(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

/** Empty for a process that has ended meanwhile. */
function contents(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

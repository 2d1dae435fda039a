import { randomUUID } from 'node:crypto';
import { link, readFile, rename, unlink, writeFile } from 'node:fs/promises';
import { PosternError } from '@postern/plugin-sdk';

/**
 * Keeps a directory to one process. The file names the owner by process id and
 * start time, so that a lock which a killed process left behind is taken over
 * and a reused process id is not mistaken for the owner. It cannot see owners
 * on other machines or in other process id namespaces.
 */
export class LockFile implements AsyncDisposable {
  private constructor(
    private readonly path: string,
    private readonly content: string,
  ) {}

  /** Rejects with `conflict` while another process, or another part of this one, holds the lock. */
  static async acquire(path: string): Promise<LockFile> {
    const content = JSON.stringify({ pid: process.pid, started: await startOf(process.pid), nonce: randomUUID() });
    const own = `${path}.${process.pid}.${randomUUID()}`;
    await writeFile(own, content, { mode: 0o600, flag: 'wx' });
    try {
      for (let attempt = 0; attempt < 3; attempt += 1) {
        if (await linked(own, path)) return new LockFile(path, content);
        await removeStale(path);
      }
    } finally {
      await unlink(own);
    }
    throw new PosternError('conflict', `${path} is being taken by other processes`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if ((await read(this.path)) === this.content) await unlink(this.path);
  }
}

const codeOf = (cause: unknown): unknown => (cause as NodeJS.ErrnoException).code;

async function linked(own: string, path: string): Promise<boolean> {
  try {
    await link(own, path);
    return true;
  } catch (cause) {
    if (codeOf(cause) === 'EEXIST') return false;
    throw cause;
  }
}

async function read(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return undefined;
    throw cause;
  }
}

async function removeStale(path: string): Promise<void> {
  const found = await read(path);
  if (found === undefined) return;
  const owner = ownerOf(found);
  if (owner && (await isAlive(owner)))
    throw new PosternError('conflict', `${path} belongs to the running process ${owner.pid}`);
  const aside = `${path}.${randomUUID()}`;
  await rename(path, aside);
  const moved = await read(aside);
  // Between the look and the rename another process may have taken over; then it is its lock that was moved.
  if (moved !== found && moved !== undefined) await linked(aside, path);
  await unlink(aside);
}

interface Owner {
  readonly pid: number;
  readonly started?: string;
}

function ownerOf(content: string): Owner | undefined {
  const [, pid] = /"pid":([1-9][0-9]{0,9})[,}]/.exec(content) ?? [];
  const [, started] = /"started":"([^"]*)"/.exec(content) ?? [];
  return pid === undefined ? undefined : { pid: Number(pid), ...(started !== undefined && { started }) };
}

async function isAlive({ pid, started }: Owner): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (cause) {
    if (codeOf(cause) === 'ESRCH') return false;
  }
  const now = await startOf(pid);
  return now === undefined || started === undefined || now === started;
}

/** Boot and start time of a process; `undefined` where the system does not tell. */
async function startOf(pid: number): Promise<string | undefined> {
  const boot = await read('/proc/sys/kernel/random/boot_id').catch(() => undefined);
  const stat = await read(`/proc/${pid}/stat`).catch(() => undefined);
  // The program's name may hold spaces and parentheses; fields are counted from behind it (proc(5), field 22).
  const ticks = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  return ticks === undefined ? undefined : `${boot?.trim() ?? ''} ${ticks}`;
}

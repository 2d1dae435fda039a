import { randomBytes } from 'node:crypto';
import { access, chown, constants, lstat, mkdir, open, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { PosternError } from '@postern/plugin-sdk';

const maxBytes = 8 * 1024 * 1024;

interface Read {
  readonly text: string;
  readonly state:
    { readonly mode: number; readonly uid: number; readonly gid: number; readonly mtimeNs: bigint } | undefined;
}

/**
 * Changes a user's file whole or not at all. Mode and owner stay, and a
 * symbolic link stays a link. A file that is not there is made with mode 0600.
 * Resolves with whether it was made. Rejects with `unavailable` where the file
 * may not be written, since renaming over it would get round its mode.
 */
export async function editFile(path: string, edit: (text: string) => string): Promise<{ readonly created: boolean }> {
  const target = await resolveLink(path);
  for (let tries = 3; tries > 0; tries--) {
    const before = await read(target);
    // Bytes, not characters: what is not UTF-8 must survive.
    const after = edit(before.text);
    if (after === before.text) return { created: false };
    if (await replace(target, before, after)) return { created: before.state === undefined };
  }
  throw PosternError.public('conflict', `${path} is being changed by another program: try again`);
}

/** Removes a file that has nothing in it. */
export async function removeIfEmpty(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found?.isFile() && found.size === 0) await rm(path, { force: true });
}

async function resolveLink(path: string): Promise<string> {
  return realpath(path).catch(async (cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'ENOENT') throw refused(path, cause);
    if (await lstat(path).catch(() => undefined))
      throw PosternError.public('unavailable', `${path} is a link to a file that does not exist`, cause);
    return path;
  });
}

async function read(path: string): Promise<Read> {
  const state = await stat(path, { bigint: true }).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return undefined;
    throw refused(path, cause);
  });
  if (!state) return { text: '', state: undefined };
  if (!state.isFile() || state.size > maxBytes)
    throw PosternError.public('unavailable', `${path} is no file of a usual size; it stays as it is`);
  await access(path, constants.R_OK | constants.W_OK).catch((cause: unknown) => {
    throw refused(path, cause);
  });
  if ((state.mode & 0o200n) === 0n) throw refused(path, new Error('it is read-only'));
  const { mode, uid, gid, mtimeNs } = state;
  const text = await readFile(path, 'latin1');
  return { text, state: { mode: Number(mode & 0o7777n), uid: Number(uid), gid: Number(gid), mtimeNs } };
}

/** Resolves with false where the file was changed since it was read. */
async function replace(path: string, { state }: Read, text: string): Promise<boolean> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const scratch = `${path}.postern-${randomBytes(4).toString('hex')}`;
  try {
    const file = await open(scratch, 'wx', state?.mode ?? 0o600);
    try {
      await file.writeFile(text, 'latin1');
      if (state) await file.chmod(state.mode);
      await file.sync();
    } finally {
      await file.close();
    }
    if (state) await keepOwner(scratch, state);
    const now = await stat(path, { bigint: true }).catch(() => undefined);
    if (now?.mtimeNs !== state?.mtimeNs) return false;
    await rename(scratch, path);
    return true;
  } catch (cause) {
    throw PosternError.is(cause) ? cause : refused(path, cause);
  } finally {
    await rm(scratch, { force: true });
  }
}

async function keepOwner(scratch: string, { uid, gid }: { readonly uid: number; readonly gid: number }): Promise<void> {
  const made = await stat(scratch);
  if (made.uid !== uid || made.gid !== gid) await chown(scratch, uid, gid);
}

const refused = (path: string, cause: unknown): PosternError =>
  PosternError.public('unavailable', `${path} cannot be changed: ${(cause as Error).message}`, cause);

import { chmod, chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Login } from './login.js';

/**
 * A directory of the agent's with one file of a user's. The user cannot put
 * anything else in the file's place, and nobody else can open the file.
 */
export class PrivateDirectory {
  private constructor(private readonly path: string) {}

  static async create(): Promise<PrivateDirectory> {
    return new PrivateDirectory(await mkdtemp(join(tmpdir(), 'postern-ssh-')));
  }

  file(name: string): string {
    return join(this.path, name);
  }

  /** Gives the file to the user; the way to it opens last, so that nobody can exchange it before. */
  async giveTo(login: Login, file: string): Promise<void> {
    await chmod(file, 0o600);
    if (process.getuid?.() === 0) await chown(file, login.uid, login.gid);
    await chmod(this.path, 0o711);
  }

  async remove(): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}

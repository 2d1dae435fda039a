import { chmod, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** Where a process keeps what it must not lose. Everything below it is private to its owner. */
export class DataDirectory {
  private constructor(readonly path: string) {}

  static async open(path: string): Promise<DataDirectory> {
    await mkdir(path, { recursive: true, mode: 0o700 });
    await chmod(path, 0o700);
    return new DataDirectory(path);
  }

  /** Encrypts the secrets in the store, and lies beside it and not in it: a backup of the store opens nothing. */
  get wrappingKey(): string {
    return join(this.path, 'keys', 'wrapping.key');
  }

  get auditLog(): string {
    return join(this.path, 'audit', 'log');
  }

  /** The keys that verify the audit log: one a line, the newest last, so that older checkpoints can be verified too. */
  get auditVerifiers(): string {
    return join(this.path, 'audit', 'verifier-keys');
  }

  get auditSpool(): string {
    return join(this.path, 'audit', 'spool');
  }

  get recordings(): string {
    return join(this.path, 'recordings');
  }

  /** What this process is called. */
  get instanceName(): string {
    return join(this.path, 'name');
  }

  /** Whoever may open it is the cluster's administrator. */
  get adminSocket(): string {
    return join(this.path, 'admin.sock');
  }

  /** The same path with nothing there: a lock has proved that no other process uses this directory. */
  async freshAdminSocket(): Promise<string> {
    await rm(this.adminSocket, { force: true });
    return this.adminSocket;
  }

  /** Where a process that has browsers connects to itself, with nothing there yet. */
  async freshWebSocket(): Promise<string> {
    const path = join(this.path, 'web.sock');
    await rm(path, { force: true });
    return path;
  }
}

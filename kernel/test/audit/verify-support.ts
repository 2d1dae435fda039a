import { readFile, rm, writeFile } from 'node:fs/promises';
import { AuditLog } from '../../src/audit/log/index.js';
import type { AuditRecord } from '../../src/audit/event.js';
import { verifyLog, type VerifyOptions, type VerifyReport } from '../../src/audit/verify/index.js';
import { cluster, Folder, instance, keysFor, openLog, origin, Stream, type Keys } from './support.js';

/** A closed log, its key, and the checkpoints that somebody kept along its way. */
export class Specimen implements AsyncDisposable {
  private constructor(
    readonly folder: Folder,
    readonly keys: Keys,
    readonly kept: ReadonlyMap<number, Buffer>,
  ) {}

  /** Appends these events in groups, and keeps a checkpoint after each group. */
  static async of(groups: readonly (readonly AuditRecord[])[], keys = keysFor()): Promise<Specimen> {
    const folder = await Folder.make();
    const kept = new Map<number, Buffer>();
    await using log = await openLog({ directory: folder.path, keys });
    for (const group of groups) {
      await log.append(group);
      kept.set(log.size, await log.checkpoint());
    }
    return new Specimen(folder, keys, kept);
  }

  /** 100, then 300, then 310 events of one agent and another. */
  static async usual(keys?: Keys): Promise<Specimen> {
    const [one, two] = [new Stream('agent-1'), new Stream('agent-2')];
    const mixed = (count: number): AuditRecord[] =>
      Array.from({ length: count / 2 }, () => [...one.next('a'), ...two.next('b')]).flat();
    return Specimen.of([mixed(100), mixed(200), mixed(10)], keys);
  }

  /** Another log under the same key and name, whose events are others. */
  async twin(): Promise<Specimen> {
    return Specimen.usual(this.keys);
  }

  path(...names: string[]): string {
    return this.folder.in(...names);
  }

  get journal(): string {
    return this.path('events', '000000000.jsonl');
  }

  async lines(): Promise<string[]> {
    return (await readFile(this.journal, 'utf8')).trimEnd().split('\n');
  }

  async write(lines: readonly string[]): Promise<void> {
    await writeFile(this.journal, lines.map((line) => `${line}\n`).join(''));
  }

  verify(more: Partial<VerifyOptions> = {}): Promise<VerifyReport> {
    return verifyLog({ directory: this.folder.path, keys: [this.keys.verifier], origin, ...more });
  }

  /** What somebody does who has the disk and the signing key: makes tiles and checkpoint anew over another journal. */
  async resign(lines: readonly string[]): Promise<void> {
    for (const name of ['tile', 'cache', 'checkpoint', 'events'])
      await rm(this.path(name), { recursive: true, force: true });
    const options = {
      directory: this.folder.path,
      cluster,
      instance,
      signer: this.keys.signer,
      onNotice: () => undefined,
    };
    {
      await using _empty = await AuditLog.open(options);
    }
    await this.write(lines);
    await using _log = await AuditLog.open(options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.folder[Symbol.asyncDispose]();
  }
}

export const kinds = (report: VerifyReport): string[] => report.problems.map(({ kind }) => kind);
export const found = (report: VerifyReport): string[] => report.problems.map(({ kind, at }) => `${kind} at ${at}`);

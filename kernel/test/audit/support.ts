import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { event, field, PosternError, type EventCatalog } from '@postern/plugin-sdk';
import { z } from 'zod';
import { Catalog } from '../../src/audit/catalog.js';
import { EventSealer } from '../../src/audit/event-sealer.js';
import { ownRecord, type AuditRecord, type EventDraft } from '../../src/audit/event.js';
import { AuditLog, logOrigin, type LogLimits } from '../../src/audit/log/index.js';
import type { AuditSink } from '../../src/audit/sink.js';
import { Spool, type SpoolLimits } from '../../src/audit/spool/index.js';
import { noteVerifier, type NoteSigner, type NoteVerifier } from '../../src/audit/tlog/index.js';

export const cluster = 'postern.example.com';
export const instance = 'auth-1';
export const origin = logOrigin(cluster, instance);

/** A protocol of the tests, with one field of each sensitivity and one that nobody classified. */
export const protocolEvents = {
  command: event('A command was run.', {
    verb: field.public(z.string()),
    key: field.sensitive(z.string().optional()),
    password: field.secret(z.string().optional()),
    stray: z.string().optional(),
  }),
} satisfies EventCatalog;

export const catalog = Catalog.of([{ id: 'store', audit: protocolEvents }]);

export const draft = (verb: string, more: Partial<EventDraft> = {}): EventDraft => ({
  type: 'store.command',
  session: 's-1',
  user: 'alice',
  resource: { kind: 'store', name: 'orders' },
  source: '203.0.113.9',
  fields: { verb },
  ...more,
});

/** A directory of one test, removed when it goes out of scope. */
export class Folder implements AsyncDisposable {
  private constructor(readonly path: string) {}

  static async make(): Promise<Folder> {
    return new Folder(await mkdtemp(join(tmpdir(), 'postern-audit-')));
  }

  in(...names: string[]): string {
    return join(this.path, ...names);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}

export interface Keys {
  readonly signer: NoteSigner;
  readonly verifier: NoteVerifier;
}

export function keysFor(name = origin): Keys {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const raw = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url');
  return {
    signer: { name, publicKey: raw, sign: (bytes) => sign(null, bytes, privateKey) },
    verifier: noteVerifier(name, raw),
  };
}

export const sealer = (now: () => Date = () => new Date()): EventSealer => new EventSealer({ catalog, cluster, now });

export interface LogSetup {
  readonly directory: string;
  readonly keys: Keys;
  readonly limits?: Partial<LogLimits>;
  readonly notices?: EventDraft[];
}

export const openLog = ({ directory, keys, limits, notices = [] }: LogSetup): Promise<AuditLog> =>
  AuditLog.open({
    directory,
    cluster,
    instance,
    signer: keys.signer,
    ...(limits && { limits }),
    onNotice: (notice) => notices.push(notice),
  });

export const openSpool = (directory: string, limits: Partial<SpoolLimits> = {}, agent = 'agent-1'): Promise<Spool> =>
  Spool.open({ directory, agent, sealer: sealer(), limits });

/** Records of one stream, without a spool. */
export class Stream {
  #sequence = 0;
  readonly #sealer: EventSealer;

  constructor(
    readonly agent: string,
    private readonly stream = '0123456789abcdef',
    now: () => Date = () => new Date(),
  ) {
    this.#sealer = sealer(now);
  }

  /** Leaves numbers out. */
  skip(count: number): void {
    this.#sequence += count;
  }

  next(verb: string, more: Partial<EventDraft> = {}): AuditRecord[] {
    return this.#sealer.seal(draft(verb, more)).map(({ before, after }) => {
      this.#sequence += 1;
      const stamp = `,"agent":"${this.agent}","stream":"${this.stream}","sequence":${this.#sequence}`;
      return ownRecord(Buffer.from(before + stamp + after));
    });
  }

  many(count: number, more: Partial<EventDraft> = {}): AuditRecord[] {
    return Array.from({ length: count }, (_, index) => this.next(`verb ${index}`, more)).flat();
  }
}

/** A sink in memory that can be slow or broken, and remembers what it took. */
export class FakeSink implements AuditSink {
  readonly taken: AuditRecord[] = [];
  failing: PosternError | undefined;
  gate: Promise<void> = Promise.resolve();
  calls = 0;

  async append(records: readonly AuditRecord[]): Promise<void> {
    this.calls += 1;
    await this.gate;
    if (this.failing) throw this.failing;
    const seen = new Set(this.taken.map(({ event: { id } }) => id));
    this.taken.push(...records.filter(({ event: { id } }) => !seen.has(id)));
  }

  get sequences(): number[] {
    return this.taken.map(({ event: { sequence } }) => sequence);
  }
}

/** True where the promise rejects with, or the function throws, a PosternError of this code. */
export const codeIs =
  (code: string) =>
  (cause: unknown): boolean =>
    PosternError.is(cause) && cause.code === code;

export const isFull = process.env['POSTERN_TEST_FULL'] === '1';

export const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, at) => from + at);

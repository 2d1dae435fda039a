import { PosternError, type AnyProtocol, type Logger } from '@postern/plugin-sdk';
import { AuditLog, AuditTrail, Catalog, type EventDraft, type TrailOptions } from '../audit/index.js';
import { CertificateIssuer, EnvelopeSealer, openWrappingKey, type Sealer } from '../certificates/index.js';
import { LocalRecordings } from '../recordings/index.js';
import { lockData, openStorage, storeFile, type ClusterStore, type OpenStorageOptions } from '../storage/index.js';
import { auditSigner, keepVerifier, retiredAuditKeys, verifierOf } from './audit-signers.js';
import { AuthorityFollower } from './authority-follower.js';
import { ClusterView } from './cluster-view.js';
import { DataDirectory } from './data-directory.js';
import { EventGate } from './event-gate.js';
import { instanceName } from './instance-name.js';
import type { Shutdown } from './shutdown.js';
import { spoolFailure } from './spool-failure.js';

/** Everything that an Auth Service and its neighbours in the process keep. */
export interface ClusterState {
  readonly directory: DataDirectory;
  readonly agent: string;
  readonly store: ClusterStore;
  readonly sealer: Sealer;
  readonly issuer: CertificateIssuer;
  readonly catalog: Catalog;
  readonly auditLog: AuditLog;
  /** Keeps what signs here up with the authorities' rotations. */
  readonly authorities: AuthorityFollower;
  readonly trail: AuditTrail;
  /** Where everything of this process is reported. */
  readonly events: EventGate;
  readonly view: ClusterView;
  readonly recordings: LocalRecordings;
}

export interface OpenStateOptions {
  readonly data: string;
  readonly cluster: string;
  /** Names this process in the audit log. */
  readonly agent?: string | undefined;
  readonly wrappingKey?: string | undefined;
  /** Where the state is. */
  readonly storage: OpenStorageOptions['configuration'];
  readonly protocols: ReadonlyMap<string, AnyProtocol>;
  /** Limits of the way to the audit log, where they are not the usual ones. */
  readonly trail?: TrailLimits | undefined;
  readonly logger: Logger;
  readonly now: () => Date;
  /** Called once when the state cannot be trusted any more. */
  readonly failed: (cause: PosternError) => void;
}

export type TrailLimits = Pick<TrailOptions, 'spool' | 'delivery'>;

/** How long the end of a process waits for its events to reach the log; what does not is in the spool. */
const drainMs = 10_000;

/** Opens the state in a data directory, and creates it at the first start. `shutdown` closes it. */
export async function openState(options: OpenStateOptions, shutdown: Shutdown): Promise<ClusterState> {
  const { cluster, protocols, logger, now, failed, storage } = options;
  const directory = await DataDirectory.open(options.data);
  const where = { configuration: storage, data: directory.path };
  const lock = await lockData(where);
  shutdown.after('the data directory', () => lock?.close());
  const store = shutdown.keep('the store', await openStorage({ ...where, now, log: logger }));
  const path = options.wrappingKey ?? directory.wrappingKey;
  const sealer = new EnvelopeSealer(await openWrappingKey({ path, storePaths: [storeFile(directory.path)] }));
  const issuer = await CertificateIssuer.open({ store, sealer, cluster, now });
  const agent = await instanceName(directory.instanceName, options.agent);
  const catalog = Catalog.of(protocols.values());
  const made = { directory, issuer, agent, catalog };
  const { auditLog, trail } = await openAudit(made, options, shutdown);
  const recordings = await LocalRecordings.open(directory.recordings, now);
  const view = shutdown.keep('the view', await ClusterView.start({ cluster, store, protocols, failed }));
  const authorities = shutdown.keep('the authorities', new AuthorityFollower({ ...made, view, auditLog, logger }));
  const events = new EventGate(trail.emitter, now);
  return { directory, agent, store, sealer, issuer, catalog, auditLog, authorities, trail, events, view, recordings };
}

/** Opens the log of this process, and the trail that leads there. */
async function openAudit(
  { directory, issuer, agent, catalog }: Pick<ClusterState, 'directory' | 'issuer' | 'agent' | 'catalog'>,
  { cluster, now, failed, trail: limits }: OpenStateOptions,
  shutdown: Shutdown,
): Promise<Pick<ClusterState, 'auditLog' | 'trail'>> {
  const signer = auditSigner(issuer, agent);
  await keepVerifier(directory.auditVerifiers, verifierOf(signer));
  // What the log has to say while it opens waits for the trail that will carry it.
  const early: EventDraft[] = [];
  let note = (notice: EventDraft): void => void early.push(notice);
  const auditLog = shutdown.keep(
    'the audit log',
    await AuditLog.open({
      directory: directory.auditLog,
      cluster,
      instance: agent,
      signer,
      trusted: retiredAuditKeys(issuer, agent),
      onNotice: (notice) => note(notice),
    }),
  );
  const trail = shutdown.keep(
    'the audit trail',
    await AuditTrail.open({
      directory: directory.auditSpool,
      cluster,
      agent,
      catalog,
      sink: auditLog,
      now,
      ...limits,
      onFailure: (cause) => failed(PosternError.from(cause)),
    }),
  );
  note = (notice) => {
    Promise.resolve()
      .then(() => trail.emitter.emit(notice))
      .catch((cause: unknown) => failed(PosternError.from(cause)));
  };
  for (const notice of early) note(notice);
  watch(trail, failed, shutdown);
  return { auditLog, trail };
}

/** Tells of a spool that fails, and waits at the end until its events have reached the log. */
function watch({ spool, delivery }: AuditTrail, failed: OpenStateOptions['failed'], shutdown: Shutdown): void {
  const watching = new AbortController();
  // Handled inside: it never rejects.
  void spoolFailure(spool, watching.signal).then((cause) => cause && failed(cause));
  shutdown.after('the audit spool', () => {
    watching.abort();
    return delivery.idle(AbortSignal.timeout(drainMs));
  });
}

import { createPublicKey } from 'node:crypto';
import { hostname } from 'node:os';
import { PosternError, type AnyProtocol, type Logger } from '@postern/plugin-sdk';
import {
  AuditLog,
  AuditTrail,
  Catalog,
  formatVerifierKey,
  logOrigin,
  type EventDraft,
  type NoteSigner,
} from '../audit/index.js';
import { CertificateIssuer, EnvelopeSealer, openWrappingKey, type Sealer } from '../certificates/index.js';
import { LocalRecordings } from '../recordings/index.js';
import { SqliteStore, type Store } from '../storage/index.js';
import { ClusterView } from './cluster-view.js';
import { DataDirectory } from './data-directory.js';
import type { Shutdown } from './shutdown.js';

/** Everything that an Auth Service and its neighbours in the process keep. */
export interface ClusterState {
  readonly directory: DataDirectory;
  readonly agent: string;
  readonly store: Store;
  readonly sealer: Sealer;
  readonly issuer: CertificateIssuer;
  readonly catalog: Catalog;
  readonly auditLog: AuditLog;
  /** The text form of the key that verifies the log. */
  readonly auditVerifier: string;
  readonly trail: AuditTrail;
  readonly view: ClusterView;
  readonly recordings: LocalRecordings;
}

export interface OpenStateOptions {
  readonly data: string;
  readonly cluster: string;
  /** Names this process in the audit log. */
  readonly agent?: string | undefined;
  readonly wrappingKey?: string | undefined;
  readonly protocols: ReadonlyMap<string, AnyProtocol>;
  readonly logger: Logger;
  readonly now: () => Date;
  /** Called once when the state cannot be trusted any more. */
  readonly failed: (cause: PosternError) => void;
}

/** Opens the state in a data directory, and creates it at the first start. `shutdown` closes it. */
export async function openState(options: OpenStateOptions, shutdown: Shutdown): Promise<ClusterState> {
  const { cluster, protocols, now, failed } = options;
  const directory = await DataDirectory.open(options.data);
  const store = shutdown.keep('the store', await SqliteStore.open({ path: directory.store }));
  const path = options.wrappingKey ?? directory.wrappingKey;
  const sealer = new EnvelopeSealer(await openWrappingKey({ path, storePaths: [directory.store] }));
  const issuer = await CertificateIssuer.open({ store, sealer, cluster, now });
  const agent = options.agent ?? labelOf(hostname());
  const catalog = Catalog.of(protocols.values());
  const signer = auditSigner(issuer, logOrigin(cluster, agent));
  let note = (_: EventDraft): void => {};
  const auditLog = shutdown.keep(
    'the audit log',
    await AuditLog.open({
      directory: directory.auditLog,
      cluster,
      instance: agent,
      signer,
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
      onFailure: (cause) => failed(PosternError.from(cause)),
    }),
  );
  note = (notice) => {
    Promise.resolve()
      .then(() => trail.emitter.emit(notice))
      .catch((cause: unknown) => failed(PosternError.from(cause)));
  };
  shutdown.after('the audit spool', () => trail.delivery.idle());
  const recordings = await LocalRecordings.open(directory.recordings, now);
  const view = shutdown.keep('the view', await ClusterView.start({ cluster, store, protocols, failed }));
  const auditVerifier = formatVerifierKey(signer.name, signer.publicKey);
  return { directory, agent, store, sealer, issuer, catalog, auditLog, auditVerifier, trail, view, recordings };
}

function auditSigner(issuer: CertificateIssuer, name: string): NoteSigner {
  const [key] = issuer.bundle('audit').audit;
  if (!key) throw new PosternError('internal', 'the audit authority has no key');
  const jwk = createPublicKey(key.publicKey).export({ format: 'jwk' });
  return {
    name,
    publicKey: Buffer.from(jwk.x ?? '', 'base64url'),
    sign: async (bytes: Buffer) => (await issuer.signAudit(bytes)).signature,
  };
}

/** A host's name as a DNS label. */
function labelOf(name: string): string {
  const label = name
    .toLowerCase()
    .replace(/\..*$/, '')
    .replaceAll(/[^a-z0-9-]/g, '-')
    .replaceAll(/^-+|-+$/g, '');
  return label === '' ? 'agent' : label.slice(0, 63);
}

import type { AnyProtocol, Hold, Logger } from '@postern/plugin-sdk';
import type { EventDraft } from '../audit/index.js';
import type { ClusterView } from '../cluster/cluster-view.js';
import type { RecordingStore } from '../recordings/index.js';
import type { ClientCertificates } from './client-certificates.js';
import type { ResourceDialer } from './dialer.js';
import type { LiveSessions } from './live-sessions.js';
import type { SecretReader } from './secret-reader.js';
import type { SessionSigning } from './session-signing.js';

/** Takes events; `strict` holds until the Auth Service has them durably, `spool` until the local queue has them. */
export interface EventPort {
  emit(draft: EventDraft, strength: 'spool' | 'strict'): Hold;
}

/** What an agent works with: all of it is local, or a client of the Auth Service. */
export interface AgentServices {
  readonly cluster: string;
  /** This agent's name. */
  readonly agent: string;
  readonly protocols: ReadonlyMap<string, AnyProtocol>;
  readonly view: ClusterView;
  readonly signing: SessionSigning;
  readonly certificates: ClientCertificates;
  readonly events: EventPort;
  readonly recordings: RecordingStore;
  readonly secrets: SecretReader;
  readonly dialer: ResourceDialer;
  readonly live: LiveSessions;
  readonly log: Logger;
  readonly now: () => Date;
}

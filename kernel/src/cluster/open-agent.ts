import type { Logger } from '@postern/plugin-sdk';
import type { Configuration } from '../configuration/index.js';
import type { PluginSet } from '../plugins/index.js';
import { parseDuration } from '../rbac/index.js';
import {
  Agent,
  ClientCertificates,
  loadRuntimes,
  ResourceDialer,
  SecretReader,
  type AgentServices,
  type HealthTable,
  type LiveSessions,
} from '../sessions/index.js';
import type { AgentTable } from '../tunnels/index.js';
import type { AuthService } from './auth-service.js';
import type { ClusterState } from './open-state.js';
import type { Readiness } from './readiness.js';
import { registerResources } from './register-resources.js';
import { SessionSigner } from './session-signer.js';

/** What the parts of a process share. */
export interface ProcessParts {
  readonly configuration: Configuration;
  readonly plugins: PluginSet;
  readonly state: ClusterState;
  readonly auth: AuthService;
  readonly live: LiveSessions;
  readonly health: HealthTable;
  readonly logger: Logger;
  readonly now: () => Date;
  readonly table: AgentTable;
  readonly readiness: Readiness;
}

/** Starts the agent of this process, which has the Auth Service as its neighbour. */
export async function openAgent(parts: ProcessParts): Promise<Agent> {
  const { configuration, plugins, state, auth, live, health, logger, now, table, readiness } = parts;
  const { accept, secrets, resources, probes } = configuration.agent;
  const { runtimes, failures } = await loadRuntimes(plugins, logger);
  for (const [id, { message }] of failures) readiness.fail(`plugin ${id}`, message);
  await registerResources({ documents: auth.documents, view: state.view, agent: state.agent, declared: resources });
  const services: AgentServices = {
    cluster: configuration.cluster,
    agent: state.agent,
    protocols: plugins.protocols,
    view: state.view,
    signing: new SessionSigner({
      agent: state.agent,
      serves: (resource) => agent.serves(resource),
      live,
      view: state.view,
      protocols: plugins.protocols,
      issuer: state.issuer,
      report: auth.report,
      now,
    }),
    certificates: new ClientCertificates({ authority: () => state.view.bundle('db_client'), now }),
    events: state.events,
    recordings: state.recordings,
    secrets: new SecretReader(secrets),
    dialer: new ResourceDialer({ allow: accept.allow_addresses, deny: accept.deny_addresses }),
    live,
    log: logger,
    now,
  };
  const agent: Agent = new Agent({
    services,
    runtimes,
    accept: accept.labels,
    table,
    ...(probes.enabled && {
      probes: {
        health,
        intervalMs: parseDuration(probes.interval) ?? 60_000,
        timeoutMs: parseDuration(probes.timeout) ?? 10_000,
        concurrency: probes.concurrency,
      },
    }),
  });
  return agent;
}

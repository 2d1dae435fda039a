import { PosternError, type Denial, type Logger } from '@postern/plugin-sdk';
import { authorityPin } from '../certificates/index.js';
import type { Configuration } from '../configuration/index.js';
import type { PluginSet } from '../plugins/index.js';
import { HealthTable, LiveSessions, type Agent } from '../sessions/index.js';
import { AgentTable, type PublicPort } from '../tunnels/index.js';
import { AuthService } from './auth-service.js';
import { endInterrupted } from './interrupted-sessions.js';
import { openAgent, type ProcessParts } from './open-agent.js';
import { Diagnostics } from './diagnostics.js';
import { openProxy } from './open-proxy.js';
import { openState, type ClusterState, type TrailLimits } from './open-state.js';
import { PublicAddress } from './public-address.js';
import { Readiness } from './readiness.js';
import { reporter } from './report.js';
import { RotationService } from './rotation-service.js';
import { Shutdown } from './shutdown.js';
import { SocketListener } from '../api/http-listener.js';

export interface StartClusterOptions {
  readonly configuration: Configuration;
  readonly plugins: PluginSet;
  readonly version: string;
  /** Limits of the way to the audit log, where they are not the usual ones. */
  readonly trail?: TrailLimits | undefined;
  readonly logger: Logger;
  readonly now?: () => Date;
  /** Called once in the life of a cluster, before anybody can connect. */
  readonly firstStart?: (auth: AuthService) => Promise<void>;
}

/** A cluster, or a part of one, that runs in this process. Disposing of it ends every session and closes everything. */
export interface RunningCluster extends AsyncDisposable {
  readonly auth: AuthService;
  readonly agent: Agent | undefined;
  readonly port: PublicPort | undefined;
  /** Those of `proxy.ports`, in its order. */
  readonly dedicatedPorts: readonly PublicPort[];
  /** What answers to monitoring, where `diagnostics.listen` asks for it. */
  readonly diagnostics: Diagnostics | undefined;
  /** `sha256:<hex>`: what `--ca-pin` takes. */
  readonly pin: string;
  readonly state: ClusterState;
  /** Resolves when the process must end because its state cannot be trusted any more. */
  readonly failed: Promise<PosternError>;
}

const untrusted: Denial = {
  code: 'unavailable',
  message: 'the session cannot be decided or recorded any more; connect again',
};

/** Starts what the configuration enables. Rejects with a PosternError that says what to do, and leaves nothing open. */
export async function startCluster(options: StartClusterOptions): Promise<RunningCluster> {
  const shutdown = new Shutdown(options.logger);
  try {
    if (!options.configuration.auth.enabled)
      throw PosternError.public(
        'invalid_config',
        'this version runs the Auth Service in every process: set auth.enabled',
      );
    return await start(options, shutdown);
  } catch (cause) {
    await shutdown[Symbol.asyncDispose]();
    throw cause;
  }
}

async function start(options: StartClusterOptions, shutdown: Shutdown): Promise<RunningCluster> {
  const { configuration, version } = options;
  const readiness = new Readiness();
  const { state, failed } = await openClusterState(options, readiness, shutdown);
  const address = new PublicAddress(configuration.proxy);
  const rotation = shutdown.keep('the rotation of authorities', openRotation(options, state));
  const parts = assemble(options, { state, readiness, address, rotation });
  const { auth, live } = parts;
  // Handled: it never rejects. What can be neither decided nor recorded must not go on.
  void failed.then(() => {
    for (const session of live) session.cut(untrusted);
  });
  let started = false;
  // Kept before all that has sessions: when it is said, they are over.
  shutdown.after('the event of the end', async () => {
    if (!started) return;
    state.events.settle();
    await auth.report('cluster.stopped', {}, { reason: 'told to stop' });
  });
  const isNew = await auth.seed();
  if (isNew) await options.firstStart?.(auth);
  await recoverRecordings(state, auth);
  await endInterrupted(state, auth.report);
  const agent = configuration.agent.enabled ? shutdown.keep('the agent', await openAgent(parts)) : undefined;
  const admin = await SocketListener.listen(await state.directory.freshAdminSocket(), auth.fetchLocal);
  shutdown.keep('the administration socket', admin);
  const proxy = configuration.proxy.enabled ? await openProxy(parts, shutdown) : undefined;
  const { port, dedicatedPorts = [] } = proxy ?? {};
  if (port) address.listening(port.address.port);
  // Before the ports are closed with all that came in there: until then, clients can be told why.
  shutdown.after('the sessions', async () => {
    for (const open of port ? [port, ...dedicatedPorts] : []) open.stopListening();
    await agent?.stop();
  });
  const diagnostics = await openDiagnostics(options, parts, shutdown);
  await auth.report('cluster.started', {}, { version, services: enabled(configuration) });
  started = true;
  const close = (): Promise<void> => shutdown[Symbol.asyncDispose]();
  const opened = { auth, agent, port, dedicatedPorts, diagnostics };
  return { ...opened, pin: pinOf(state), state, failed, [Symbol.asyncDispose]: close };
}

async function openClusterState(
  { configuration, plugins, trail, logger, now = () => new Date() }: StartClusterOptions,
  readiness: Readiness,
  shutdown: Shutdown,
): Promise<{ readonly state: ClusterState; readonly failed: Promise<PosternError> }> {
  let fail = (_: PosternError): void => {};
  const failed = new Promise<PosternError>((resolve) => (fail = resolve));
  const state = await openState(
    {
      data: configuration.data,
      cluster: configuration.cluster,
      agent: configuration.agent.name,
      wrappingKey: configuration.auth.wrapping_key,
      storage: configuration.storage,
      protocols: plugins.protocols,
      trail,
      logger,
      now,
      failed: (cause) => {
        readiness.fail('state', cause.message);
        fail(cause);
      },
    },
    shutdown,
  );
  readiness.watch('storage', () => state.store.health);
  readiness.watch('audit', () => {
    const { state: written } = state.events;
    return written.ready ? state.trail.delivery.state : written;
  });
  return { state, failed };
}

function openRotation(
  { configuration: { cluster }, logger, now = () => new Date() }: StartClusterOptions,
  state: ClusterState,
): RotationService {
  return new RotationService({ ...state, cluster, report: reporter(state.events), logger, now });
}

function assemble(
  { configuration, plugins, logger, version, now = () => new Date() }: StartClusterOptions,
  made: {
    readonly state: ClusterState;
    readonly readiness: Readiness;
    readonly address: PublicAddress;
    readonly rotation: RotationService;
  },
): ProcessParts {
  const { state, readiness, address, rotation } = made;
  const live = new LiveSessions();
  const health = new HealthTable();
  const auth = new AuthService({
    ...state,
    cluster: configuration.cluster,
    version,
    protocols: plugins.protocols,
    log: state.auditLog,
    rotation,
    verifier: () => state.authorities.auditVerifier,
    live,
    health,
    logger,
    now,
    checks: () => readiness.checks,
    inviteUrl: (token) => `https://${address.text}/invite/${token}`,
  });
  return { configuration, plugins, state, auth, live, health, logger, now, readiness, table: new AgentTable() };
}

/** Its library is loaded where it is used. */
async function openDiagnostics(
  { configuration: { diagnostics }, version }: StartClusterOptions,
  { state, live, health, readiness }: ProcessParts,
  shutdown: Shutdown,
): Promise<Diagnostics | undefined> {
  const { listen } = diagnostics;
  if (!listen) return undefined;
  const { processMetrics } = await import('./metrics.js');
  const metrics = processMetrics({ version, state, live, health, readiness });
  return shutdown.keep('diagnostics', await Diagnostics.listen({ listen, readiness, metrics }));
}

/** Of the key that signs: it is what servers show. */
function pinOf({ view }: ClusterState): string {
  const { active, trusted } = view.keySet('host') ?? { active: [], trusted: [] };
  return authorityPin(trusted.find(({ id }) => id === active[0])?.x509 ?? '');
}

/** Completes the recordings that a process which died had left open, and says so. */
async function recoverRecordings({ recordings }: ClusterState, auth: AuthService): Promise<void> {
  for (const { session, user, resourceKind, resource, hashes = {}, ...done } of await recordings.recover()) {
    const { recording, kind, bytes, durationMs } = done;
    await auth.report(
      'recording.completed',
      { session, user, resource: { kind: resourceKind, name: resource } },
      { recording, kind, bytes, durationMs, sha256: hashes, recovered: true },
    );
  }
}

const enabled = ({ auth, proxy, agent }: Configuration): readonly string[] =>
  Object.entries({ auth, proxy, agent }).flatMap(([name, service]) => (service.enabled ? name : []));

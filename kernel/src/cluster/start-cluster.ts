import { PosternError, type Logger } from '@postern/plugin-sdk';
import { authorityPin } from '../certificates/index.js';
import type { Configuration } from '../configuration/index.js';
import type { PluginSet } from '../plugins/index.js';
import { LiveSessions, type Agent } from '../sessions/index.js';
import { AgentTable, type PublicPort } from '../tunnels/index.js';
import { AuthService } from './auth-service.js';
import { openAgent } from './open-agent.js';
import { openProxy } from './open-proxy.js';
import { openState, type ClusterState } from './open-state.js';
import { Readiness } from './readiness.js';
import { Shutdown } from './shutdown.js';
import { SocketListener } from '../api/http-listener.js';

export interface StartClusterOptions {
  readonly configuration: Configuration;
  readonly plugins: PluginSet;
  readonly version: string;
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
  /** `sha256:<hex>`: what `--ca-pin` takes. */
  readonly pin: string;
  readonly state: ClusterState;
  /** Resolves when the process must end because its state cannot be trusted any more. */
  readonly failed: Promise<PosternError>;
}

/** Starts what the configuration enables. Rejects with a PosternError that says what to do, and leaves nothing open. */
export async function startCluster(options: StartClusterOptions): Promise<RunningCluster> {
  const { configuration, plugins, logger, version, now = () => new Date() } = options;
  if (!configuration.auth.enabled)
    throw PosternError.public(
      'invalid_config',
      'this version runs the Auth Service in every process: set auth.enabled',
    );
  const shutdown = new Shutdown(logger);
  try {
    let fail = (_: PosternError): void => {};
    const failed = new Promise<PosternError>((resolve) => (fail = resolve));
    const readiness = new Readiness();
    const state = await openState(
      {
        data: configuration.data,
        cluster: configuration.cluster,
        agent: configuration.agent.name,
        wrappingKey: configuration.auth.wrapping_key,
        protocols: plugins.protocols,
        logger,
        now,
        failed: (cause) => {
          readiness.fail('state', cause.message);
          fail(cause);
        },
      },
      shutdown,
    );
    readiness.watch('audit', () => state.trail.delivery.state);
    const live = new LiveSessions();
    const [address, setAddress] = publicAddress(configuration);
    const auth = new AuthService({
      ...state,
      cluster: configuration.cluster,
      version,
      protocols: plugins.protocols,
      log: state.auditLog,
      verifier: state.auditVerifier,
      events: state.trail.emitter,
      live,
      logger,
      now,
      checks: () => readiness.checks,
      inviteUrl: (token) => `https://${address()}/invite/${token}`,
    });
    const isNew = await auth.seed();
    if (isNew) await options.firstStart?.(auth);
    await recover(state, auth);
    const table = new AgentTable();
    const services = { configuration, plugins, state, auth, live, logger, now, table, readiness, version };
    const agent = configuration.agent.enabled ? shutdown.keep('the agent', await openAgent(services)) : undefined;
    const admin = await SocketListener.listen(await state.directory.freshAdminSocket(), auth.fetchLocal);
    shutdown.keep('the administration socket', admin);
    const port = configuration.proxy.enabled ? await openProxy(services, shutdown) : undefined;
    if (port) setAddress(port.address.port);
    await auth.report('cluster.started', {}, { version, services: enabled(configuration) });
    shutdown.after('the event of the end', () => auth.report('cluster.stopped', {}, { reason: 'told to stop' }));
    const [pem = ''] = state.view.bundle('host').x509;
    const close = (): Promise<void> => shutdown[Symbol.asyncDispose]();
    return { auth, agent, port, pin: authorityPin(pem), state, failed, [Symbol.asyncDispose]: close };
  } catch (cause) {
    await shutdown[Symbol.asyncDispose]();
    throw cause;
  }
}

/** Completes the recordings that a process which died had left open, and says so. */
async function recover({ recordings }: ClusterState, auth: AuthService): Promise<void> {
  for (const {
    session,
    recording,
    kind,
    bytes,
    durationMs,
    user,
    resourceKind,
    resource,
  } of await recordings.recover())
    await auth.report(
      'recording.completed',
      { session, user, resource: { kind: resourceKind, name: resource } },
      { recording, kind, bytes, durationMs },
    );
}

const enabled = ({ auth, proxy, agent }: Configuration): readonly string[] =>
  Object.entries({ auth, proxy, agent }).flatMap(([name, service]) => (service.enabled ? name : []));

/** What clients connect to: as configured, else where the port listens, once that is known. */
function publicAddress({ proxy }: Configuration): [() => string, (port: number) => void] {
  const { host, port } = proxy.public_address ?? proxy.listen;
  let actual = port;
  const shown = host === '0.0.0.0' || host === '127.0.0.1' || host === '::' ? 'localhost' : host;
  return [
    () => `${shown}:${actual}`,
    (listening) => {
      if (!proxy.public_address) actual = listening;
    },
  ];
}

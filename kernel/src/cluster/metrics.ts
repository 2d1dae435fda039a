import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { HealthTable, LiveSessions, ResourceHealth } from '../sessions/index.js';
import type { ClusterState } from './open-state.js';
import type { Readiness } from './readiness.js';

export interface MetricsOptions {
  readonly version: string;
  readonly state: Pick<ClusterState, 'events' | 'auditLog' | 'view'>;
  readonly live: LiveSessions;
  readonly health: HealthTable;
  readonly readiness: Readiness;
}

/**
 * What a process tells Prometheus. Everything is read when it is asked for, so
 * that nothing is counted twice or costs anything in between. Names follow the
 * conventions of Prometheus; no label holds the name of a user or a session.
 */
export function processMetrics({ version, state, live, health, readiness }: MetricsOptions): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const gauge = <L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
    read: (gauge: Gauge<L>) => void,
  ) =>
    new Gauge({
      name: `postern_${name}`,
      help,
      labelNames,
      registers: [registry],
      collect() {
        this.reset();
        read(this);
      },
    });
  gauge('build_info', 'The version that runs; always 1.', ['version'], (one) => one.set({ version }, 1));
  gauge('ready', 'Whether what the process depends on is ready: 1 or 0.', ['check'], (one) => {
    for (const { name, ok } of readiness.checks) one.set({ check: name }, ok ? 1 : 0);
  });
  gauge('sessions', 'Sessions that run now.', ['kind'], (one) => {
    for (const { kind } of live) one.inc({ kind });
  });
  gauge('events_total', 'Audit events that were recorded since the process began.', ['type'], (one) => {
    for (const [type, count] of state.events.counts) one.set({ type }, count);
  });
  gauge('audit_log_entries', 'Entries of the audit log of this instance.', [], (one) => one.set(state.auditLog.size));
  gauge('resources', 'Resources that are registered, by the health that was last found.', ['kind', 'health'], (one) => {
    for (const { kind, name } of state.view.resources) one.inc({ kind, health: healthOf(health.get({ kind, name })) });
  });
  return registry;
}

const healthOf = (found: ResourceHealth | undefined): string => {
  if (!found) return 'unknown';
  return found.ok ? 'well' : found.reason;
};

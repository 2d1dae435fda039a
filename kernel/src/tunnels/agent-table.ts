import { PosternError } from '@postern/plugin-sdk';
import type { Call, Dialer, Take } from './handover.js';

/** What an agent serves: one resource, by kind and {@link routeLabel label}. */
export interface ServedRoute {
  readonly kind: string;
  readonly label: string;
}

/** Who can be reached right now, and for which resources. Several agents may serve one resource. */
export class AgentTable implements Dialer {
  readonly #dialers = new Map<string, Dialer[]>();
  readonly #routes = new Map<Dialer, Set<string>>();
  #turn = 0;

  /** Adds to what can be reached through `dialer`. What is there already stays as it is. */
  add(dialer: Dialer, routes: Iterable<ServedRoute>): void {
    const served = this.#routes.get(dialer) ?? new Set();
    this.#routes.set(dialer, served);
    for (const route of routes) {
      const key = keyOf(route);
      if (served.has(key)) continue;
      served.add(key);
      this.#dialers.set(key, [...(this.#dialers.get(key) ?? []), dialer]);
    }
  }

  remove(dialer: Dialer, routes: Iterable<ServedRoute>): void {
    for (const route of routes) this.#remove(dialer, keyOf(route));
  }

  /** Forgets a dialer: its agent has gone. */
  drop(dialer: Dialer): void {
    for (const key of this.#routes.get(dialer) ?? []) this.#remove(dialer, key);
    this.#routes.delete(dialer);
  }

  /** How many routes lead through this dialer. */
  countOf(dialer: Dialer): number {
    return this.#routes.get(dialer)?.size ?? 0;
  }

  has(route: ServedRoute): boolean {
    return this.#dialers.has(keyOf(route));
  }

  /**
   * Asks the agents that serve the call's resource, each in turn first, until
   * one takes it. Rejects with `not_found` where there is none, and with
   * `unavailable` where none takes it.
   */
  async dial(call: Call, signal: AbortSignal): Promise<Take> {
    const { route } = call;
    const dialers = route.kind === 'agent' ? this.#inTurn({ kind: route.protocol, label: route.label }) : [];
    if (dialers.length === 0) throw PosternError.public('not_found', `no agent that serves ${call.name} is connected`);
    let failure: unknown;
    for (const dialer of dialers) {
      if (signal.aborted) break;
      try {
        return await dialer.dial(call, signal);
      } catch (cause) {
        failure = cause;
      }
    }
    throw new PosternError('unavailable', `${call.name} cannot be reached: ${PosternError.from(failure).message}`, {
      publicMessage: `${call.name} cannot be reached right now`,
      cause: failure,
    });
  }

  #inTurn(route: ServedRoute): readonly Dialer[] {
    const dialers = this.#dialers.get(keyOf(route)) ?? [];
    this.#turn = (this.#turn + 1) % Number.MAX_SAFE_INTEGER;
    const first = this.#turn % Math.max(1, dialers.length);
    return [...dialers.slice(first), ...dialers.slice(0, first)];
  }

  #remove(dialer: Dialer, key: string): void {
    if (!this.#routes.get(dialer)?.delete(key)) return;
    const left = (this.#dialers.get(key) ?? []).filter((other) => other !== dialer);
    if (left.length > 0) this.#dialers.set(key, left);
    else this.#dialers.delete(key);
  }
}

const keyOf = ({ kind, label }: ServedRoute): string => `${label}.${kind}`;

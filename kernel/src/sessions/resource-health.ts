import type { Health } from '@postern/plugin-sdk';

type Trouble = Extract<Health, { readonly ok: false }>;

/** What a probe found, and when. */
export type ResourceHealth = Health & { readonly at: Date };

/** A resource, by what names it. */
export interface ResourceName {
  readonly kind: string;
  readonly name: string;
}

/** What a probe's reasons mean, for people. */
const words: Readonly<Record<Trouble['reason'], string>> = {
  unreachable: 'cannot be reached',
  tls: 'its TLS is not as it should be',
  auth: 'refuses our credentials',
  protocol: 'does not answer as it should',
};

/** Whether a session could start, in a few words that give nothing away: for everybody who may see the resource. */
export const healthWords = (health: Health): string => (health.ok ? 'well' : words[health.reason]);

/** The same for those who look after resources: with what the probe said. */
export const healthDetail = (health: Health): string =>
  health.ok ? healthWords(health) : `${healthWords(health)}: ${health.detail}`;

/** What is known of the health of resources. One that nobody has probed is not in it. */
export class HealthTable {
  readonly #known = new Map<string, ResourceHealth>();

  get(resource: ResourceName): ResourceHealth | undefined {
    return this.#known.get(keyOf(resource));
  }

  set(resource: ResourceName, health: ResourceHealth): void {
    this.#known.set(keyOf(resource), health);
  }

  forget(resource: ResourceName): void {
    this.#known.delete(keyOf(resource));
  }
}

const keyOf = ({ kind, name }: ResourceName): string => `${kind}/${name}`;

import type { AnyProtocol } from '../../protocol.js';
import type { Plugin } from '../../plugin.js';
import type { Bench } from '../bench.js';
import type { Harness } from '../harness.js';

/** One property that every plugin must have. */
export interface Check {
  /** A fact about a plugin, in the present tense. */
  readonly name: string;
  /** Why the check cannot say anything about this plugin or with this harness; nothing where it can. */
  readonly missing?: (harness: Harness, plugin: Plugin) => string | undefined;
  /** True where a harness may declare, with a reason, that the property makes no sense for its protocol. */
  readonly exemptible?: boolean;
  /** Rejects where the plugin does not have the property. */
  run(bench: Bench<AnyProtocol>): Promise<void>;
}

export interface CheckGroup {
  readonly title: string;
  readonly checks: readonly Check[];
}

/** Fails with this text unless the condition holds. */
export function assure(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(message);
}

/** Reason for a check to be left out where a harness does not supply what it needs. */
export const needs =
  (name: keyof Harness, ...more: readonly (keyof Harness)[]) =>
  (harness: Harness): string | undefined => {
    const absent = [name, ...more].filter((key) => harness[key] === undefined);
    return absent.length > 0 ? `the harness has no ${absent.join(' and no ')}` : undefined;
  };

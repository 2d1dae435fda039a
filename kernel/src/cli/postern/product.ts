import type { Plugin } from '@postern/plugin-sdk';
import type { AuthService } from '../../cluster/index.js';

/** What the composition root adds: the product's plugins, and what a cluster has that nobody configured. */
export interface PosternProduct {
  readonly version: string;
  /** Loaded by the commands that need them. */
  load(): Promise<readonly Plugin[]>;
  /** Fills a new cluster that runs without a configuration file; resolves with lines that tell how to try it. */
  readonly demo: (auth: AuthService) => Promise<DemoAccess>;
}

export interface DemoAccess {
  readonly user: string;
  readonly password: string;
  /** Commands to try after the login, with a word on what each does. */
  readonly tries: readonly (readonly [command: string, what: string])[];
}

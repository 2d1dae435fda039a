import { audit } from './audit.js';
import { authorization } from './authorization.js';
import type { CheckGroup } from './check.js';
import { client } from './client.js';
import { conversation } from './conversation.js';
import { declaration } from './declaration.js';
import { flow } from './flow.js';
import { lifecycle } from './lifecycle.js';
import { probing } from './probe.js';
import { proxying } from './proxy.js';
import { robustness } from './robustness.js';

export { type Check, type CheckGroup } from './check.js';

/** Everything that is asked of a plugin. */
export const checkGroups: readonly CheckGroup[] = [
  declaration,
  conversation,
  authorization,
  audit,
  lifecycle,
  robustness,
  flow,
  probing,
  client,
  proxying,
];

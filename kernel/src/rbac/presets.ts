import type { Role } from './role.js';

/**
 * The roles that a new cluster has. They are documents like any other: an
 * administrator may change or remove them.
 */
export const presetRoles: readonly Role[] = [
  {
    kind: 'role',
    name: 'access',
    description: 'Connects to every resource as whom the traits of the user name.',
    allow: { '*': { labels: { '*': '*' } } },
  },
  {
    kind: 'role',
    name: 'editor',
    description: 'Changes the cluster: users, roles, locks and everything else that the API serves.',
    allow: { rules: [{ kinds: ['*'], verbs: ['*'] }] },
  },
  {
    kind: 'role',
    name: 'auditor',
    description: 'Reads the audit log, the sessions and the recordings.',
    allow: { rules: [{ kinds: ['audit', 'recording', 'session'], verbs: ['list', 'read'] }] },
  },
];

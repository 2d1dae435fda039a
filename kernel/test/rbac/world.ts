import { defineProtocol, type AnyProtocol, type Identity } from '@postern/plugin-sdk';
import { z } from 'zod';
import { compileRoles, type Protocols, type Roles, type Subject } from '../../src/rbac/index.js';
import { matchesPattern, parsePattern } from '../../src/rbac/pattern.js';

const names = (patterns: readonly string[], value: string): boolean =>
  patterns.some((pattern) => matchesPattern(parsePattern(pattern), value));

/** A made-up protocol whose access strings take wildcards. */
export const ledger = defineProtocol({
  id: 'ledger',
  title: 'Ledger',
  posture: 'hostile-client',
  transport: { kind: 'tls' },
  config: z.strictObject({}),
  auth: {
    resource: z.strictObject({}),
    endpoints: () => [],
    ask: z.strictObject({ user: z.string(), book: z.string() }),
    access: z.strictObject({ users: z.array(z.string()).default([]), books: z.array(z.string()).default([]) }),
    permits: ({ users, books }, { user, book }) => names(users, user) && names(books, book),
    forbids: ({ users, books }, { user, book }) => names(users, user) || names(books, book),
    preset: { users: ['{{internal.ledger_users}}'], books: ['*'] },
    principals: ({ users }) => users,
  },
  audit: {},
});

/** A made-up protocol that is strict about names, takes a single text where it can, and does not refuse unknown keys. */
export const desk = defineProtocol({
  id: 'desk',
  title: 'Desk',
  posture: 'hostile-client',
  transport: { kind: 'tls' },
  config: z.strictObject({}),
  auth: {
    resource: z.strictObject({}),
    endpoints: () => [],
    ask: z.strictObject({ login: z.string() }),
    access: z.object({
      logins: z
        .union([z.string().regex(/^[a-z]+$/), z.array(z.string().regex(/^[a-z]+$/)).min(1)])
        .transform((value) => [value].flat())
        .default([]),
      room: z.string().optional(),
    }),
    permits: ({ logins, room }, { login }) => room !== 'closed' && logins.includes(login),
    forbids: ({ logins }, { login }) => logins.includes(login),
    principals: ({ logins }) => logins,
  },
  audit: {},
});

/** A protocol whose functions fail. */
export const faulty = defineProtocol({
  ...ledger,
  id: 'faulty',
  auth: {
    ...ledger.auth,
    permits: () => {
      throw new Error('permits failed');
    },
    forbids: () => {
      throw new Error('forbids failed');
    },
  },
});

export const protocols: Protocols = new Map<string, AnyProtocol>([
  ['ledger', ledger],
  ['desk', desk],
  ['faulty', faulty],
]);

export const now = new Date('2030-01-01T12:00:00Z');

export const identity = (change: Partial<Subject['identity']> = {}): Subject['identity'] => ({
  user: 'alice',
  cluster: 'example.com',
  roles: ['readers'],
  traits: {},
  principals: {},
  generation: 1,
  serial: '0a1b',
  expires: new Date('2030-01-01T20:00:00Z'),
  requests: [],
  ...change,
});

export interface Circumstances extends Partial<Omit<Subject, 'identity' | 'roles'>> {
  readonly identity?: Partial<Identity>;
}

/** The roles of these documents: the name is added, and the kind. */
export const rolesOf = (documents: Readonly<Record<string, object>>): Roles =>
  compileRoles(
    Object.entries(documents).map(([name, document]) => [name, { kind: 'role', name, ...document }] as const),
    protocols,
  );

/** Somebody who carries all of these roles. */
export const holding = (documents: Readonly<Record<string, object>>, circumstances: Circumstances = {}): Subject => {
  const { identity: change, ...rest } = circumstances;
  return {
    identity: identity({ roles: Object.keys(documents), ...change }),
    roles: rolesOf(documents),
    locks: [],
    user: { generation: 1, disabled: false },
    now,
    ...rest,
  };
};

export const books = { kind: 'ledger', name: 'books', labels: { env: 'prod', team: 'core' } };
export const everywhere = { labels: { '*': '*' } };

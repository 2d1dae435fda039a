import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { isClassified, type EventType } from '../../audit.js';
import type { AnyProtocol, Authorization } from '../../protocol.js';
import type { Bench } from '../bench.js';
import { assure, type CheckGroup } from './check.js';

type AnyAuthorization = Authorization<z.ZodType, z.ZodType, z.ZodType>;

const authorization = (bench: Bench<AnyProtocol>): AnyAuthorization => bench.protocol.auth as AnyAuthorization;

/** The asks that the conversation leads to: real ones, so that the plugin's author need not invent any. */
async function asksOf(bench: Bench<AnyProtocol>): Promise<readonly unknown[]> {
  await using held = bench.hold();
  await held.player.play(bench.harness.conversation);
  await held.leave();
  assure(held.host.asks.length > 0, 'the conversation asked for nothing');
  return held.host.asks;
}

/** Freezes a value all the way down, so that a function that changes its argument throws. */
function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) frozen(inner);
    Object.freeze(value);
  }
  return value;
}

/** Every way to change one list of strings somewhere inside a JSON value. */
function* withChangedLists(value: unknown, change: (list: readonly string[]) => unknown): Generator<unknown> {
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) yield change(value);
  if (typeof value !== 'object' || value === null) return;
  for (const [key, inner] of Object.entries(value))
    for (const changed of withChangedLists(inner, change))
      yield Array.isArray(value) ? value.with(Number(key), changed) : { ...value, [key]: changed };
}

/** Words that could be added to a list: any, all, and those that the schema itself lists. */
function wordsOf(schema: unknown): string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  const listed: unknown = (schema as { readonly enum?: unknown }).enum;
  const own = Array.isArray(listed) ? listed.filter((word) => typeof word === 'string') : [];
  return [...own, ...Object.values(schema).flatMap(wordsOf)];
}

async function decidesByWords(bench: Bench<AnyProtocol>): Promise<void> {
  const auth = authorization(bench);
  const access = frozen(auth.access.parse(bench.harness.access));
  const asks = await asksOf(bench);
  for (const ask of asks.map(frozen)) {
    assure(auth.permits(access, ask) === true, `the access of the harness does not permit ${JSON.stringify(ask)}`);
    assure(typeof auth.forbids(access, ask) === 'boolean', 'forbids answers neither true nor false');
    const travelled: unknown = auth.ask.parse(JSON.parse(JSON.stringify(ask)));
    assure(isDeepStrictEqual(travelled, ask), `${JSON.stringify(ask)} is not the same after a journey as JSON`);
  }
  assure(
    asks.some((ask) => auth.forbids(access, ask)),
    'nothing in the conversation is forbidden by a deny with the words that allow it',
  );
}

async function listsOnlyAdd(bench: Bench<AnyProtocol>): Promise<void> {
  const auth = authorization(bench);
  const access = auth.access.parse(bench.harness.access);
  const asks = await asksOf(bench);
  const words = new Set(['unrelated', '*', ...wordsOf(z.toJSONSchema(auth.access, { io: 'input' }))]);
  const longer = [...words].flatMap((word) => [...withChangedLists(bench.harness.access, (list) => [...list, word])]);
  const shorter = [...withChangedLists(bench.harness.access, (list) => list.slice(1))];
  for (const ask of asks) {
    for (const more of longer.map((role) => auth.access.safeParse(role))) {
      if (!more.success) continue;
      assure(auth.permits(more.data, ask), 'a longer list under allow permits less');
      assure(auth.forbids(more.data, ask) || !auth.forbids(access, ask), 'a longer list under deny forbids less');
    }
    for (const less of shorter.map((role) => auth.access.safeParse(role)))
      if (less.success)
        assure(!auth.forbids(less.data, ask) || auth.forbids(access, ask), 'a shorter list under deny forbids more');
  }
}

async function nothingByDefault(bench: Bench<AnyProtocol>): Promise<void> {
  const auth = authorization(bench);
  const nothing = auth.access.parse({});
  const asks: unknown[] = [...(await asksOf(bench))];
  const empty = auth.ask.safeParse({});
  if (empty.success) asks.push(empty.data);
  for (const ask of asks) {
    assure(auth.permits(nothing, ask) === false, `{} permits ${JSON.stringify(ask)}`);
    assure(auth.forbids(nothing, ask) === false, `{} forbids ${JSON.stringify(ask)}`);
  }
  const names = auth.principals?.(nothing) ?? [];
  assure(names.length === 0, `{} lets a user become ${names.join(', ')}`);
}

export const declaration: CheckGroup = {
  title: 'declaration',
  checks: [
    {
      name: 'has a default configuration',
      run: async (bench) => void bench.protocol.config.parse({}),
    },
    { name: 'permits and forbids nothing by default', run: nothingByDefault },
    { name: 'decides by the words of a role alone', run: decidesByWords },
    { name: 'permits no less for a longer list', run: listsOnlyAdd },
    {
      name: 'accepts its own preset',
      missing: (_harness, { protocol }) => (protocol.auth.preset ? undefined : 'the protocol has no preset'),
      run: async (bench) => void authorization(bench).access.parse(bench.protocol.auth.preset),
    },
    {
      name: 'classifies every audited field',
      run: async ({ protocol }) => {
        for (const [name, type] of Object.entries<EventType>(protocol.audit))
          for (const [field, schema] of Object.entries<z.ZodType>(type.fields.shape as Record<string, z.ZodType>))
            assure(isClassified(schema), `${name}.${field}: use field.public, field.sensitive or field.secret`);
      },
    },
    {
      name: 'can be described as JSON Schema',
      run: async (bench) => {
        const { resource, ask, access } = authorization(bench);
        for (const schema of [resource, ask, access, bench.protocol.config]) z.toJSONSchema(schema, { io: 'input' });
        for (const type of Object.values<EventType>(bench.protocol.audit)) {
          z.toJSONSchema(type.fields);
          assure(type.summary.trim().endsWith('.'), `the summary ${JSON.stringify(type.summary)} is no sentence`);
        }
      },
    },
  ],
};

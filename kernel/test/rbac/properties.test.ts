import assert from 'node:assert/strict';
import fc from 'fast-check';
import { decide, decideRule, decideVisible, compileRoles, type Decision } from '../../src/rbac/index.js';
import { holding, ledger, now, protocols } from './world.js';

const numRuns = process.env['POSTERN_TEST_FULL'] === '1' ? 20_000 : 150;

const word = fc.constantFrom('a', 'b', '*', 'a*', '{{internal.t}}', '{{external.u}}-x');
const words = fc.uniqueArray(word, { minLength: 1, maxLength: 3 });
const conditions = fc.dictionary(
  fc.constantFrom('env', 'team'),
  fc.oneof(word, fc.array(word, { minLength: 1, maxLength: 2 })),
  { maxKeys: 2 },
);
const everywhere = fc.constant({ '*': '*' });
const entry = fc.record(
  { labels: fc.oneof(conditions, everywhere), users: words, books: words },
  { requiredKeys: ['users', 'books'] },
);
const anyEntry = fc.oneof(
  entry,
  fc.record({ labels: fc.oneof(conditions, everywhere), users: words, books: words }, { requiredKeys: [] }),
);
const clause = fc.record(
  {
    ledger: fc.oneof(anyEntry, fc.array(anyEntry, { minLength: 1, maxLength: 3 })),
    '*': fc.record({ labels: everywhere }),
    rules: fc.array(fc.record({ kinds: fc.constant(['user']), verbs: fc.constantFrom(['read'], ['*']) }), {
      maxLength: 2,
    }),
  },
  { requiredKeys: [] },
);
const options = fc.record(
  { require_mfa: fc.boolean(), idle_timeout: fc.constantFrom('1m', '1h') },
  { requiredKeys: [] },
);
const role = fc.oneof(
  fc.record({ allow: fc.record({ ledger: entry }), options }),
  fc.record({ allow: clause, deny: clause, options }, { requiredKeys: [] }),
);
const allowOnly = fc.record({ allow: clause });
const denyOnly = fc.record({ deny: clause });
const roles = fc.array(role, { maxLength: 4 });
const traits = fc.dictionary(
  fc.constantFrom('t', 'u'),
  fc.array(fc.constantFrom('a', 'b', '*', '', '{{internal.u}}'), { maxLength: 3 }),
);
const resource = fc
  .dictionary(fc.constantFrom('env', 'team'), fc.constantFrom('a', 'b', 'aa'))
  .map((given) => ({ kind: 'ledger', name: 'r', labels: given }));
const ask = fc.record({ user: fc.constantFrom('a', 'b', 'a-x'), book: fc.constantFrom('a', 'b') });
const world = fc.record({ traits, resource, ask });
type World = typeof world extends fc.Arbitrary<infer T> ? T : never;

/** The three questions that can be put, to the same roles. */
function decisions(documents: readonly object[], { traits: has, resource: at, ask: asked }: World): Decision[] {
  const named = Object.fromEntries(documents.map((document, index) => [`r${index}`, document]));
  const subject = holding(named, { identity: { traits: has, mfa: { device: 'd', at: now } } });
  return [
    decide({ subject, resource: at, protocol: ledger, ask: asked }),
    decideVisible({ subject, resource: at, protocol: ledger }),
    decideRule({ subject, kind: 'user', verb: 'read' }),
  ];
}

const isSubset = (small: readonly Decision[], large: readonly Decision[]): boolean =>
  small.every((decision, index) => !decision.allowed || large[index]?.allowed === true);

describe('decisions', function () {
  this.timeout(numRuns * 20 + 10_000);

  it('the generated worlds contain both answers to every question', () => {
    const seen = fc.sample(fc.tuple(roles, world), 150).map(([documents, one]) => decisions(documents, one));
    for (const index of [0, 1, 2])
      assert.equal(new Set(seen.map((three) => three[index]?.allowed)).size, 2, `question ${index}`);
  });

  it('nothing is allowed without roles', () => {
    fc.assert(
      fc.property(world, (one) => decisions([], one).every(({ allowed }) => !allowed)),
      { numRuns },
    );
  });

  it('adding a deny never allows more', () => {
    fc.assert(
      fc.property(roles, denyOnly, world, (documents, added, one) =>
        isSubset(decisions([...documents, added], one), decisions(documents, one)),
      ),
      { numRuns },
    );
  });

  it('adding an allow never denies more', () => {
    fc.assert(
      fc.property(roles, allowOnly, world, (documents, added, one) =>
        isSubset(decisions(documents, one), decisions([...documents, added], one)),
      ),
      { numRuns },
    );
  });

  it('a role that allows and denies is the same as two roles that do one each', () => {
    fc.assert(
      fc.property(roles, clause, clause, world, (documents, allow, deny, one) => {
        const together = decisions([...documents, { allow, deny }], one);
        const apart = decisions([...documents, { allow }, { deny }], one);
        assert.deepEqual(
          together.map(({ allowed }) => allowed),
          apart.map(({ allowed }) => allowed),
        );
      }),
      { numRuns },
    );
  });

  it('the order of roles does not matter, not even for the reasons', () => {
    const shuffled = roles.chain((documents) =>
      fc.tuple(fc.constant(documents), fc.shuffledSubarray([...documents.keys()], { minLength: documents.length })),
    );
    fc.assert(
      fc.property(shuffled, world, ([documents, order], { traits: has, resource: at, ask: asked }) => {
        const named = documents.map((document, index) => [`r${index}`, document] as const);
        const inOrder = holding(Object.fromEntries(named), { identity: { traits: has } });
        const names = order.map((index) => `r${index}`);
        const other = holding(Object.fromEntries(order.flatMap((index) => [named[index] ?? ['', {}]])), {
          identity: { traits: has, roles: [...names, ...names] },
        });
        assert.deepEqual(
          decide({ subject: other, resource: at, protocol: ledger, ask: asked }),
          decide({ subject: inOrder, resource: at, protocol: ledger, ask: asked }),
        );
      }),
      { numRuns },
    );
  });

  it('what may be used may be seen', () => {
    fc.assert(
      fc.property(roles, world, (documents, one) => {
        const [used, seen] = decisions(documents, one);
        assert.ok(!used?.allowed || seen?.allowed);
      }),
      { numRuns },
    );
  });

  it('are total: anything at all gets an answer, and anything but the expected gets a no', () => {
    const anything = fc.anything({ withNullPrototype: true, withMap: true, withDate: true, withBigInt: true });
    fc.assert(
      fc.property(fc.array(anything, { minLength: 8, maxLength: 8 }), (values) => {
        const [a, b, c, d, e, f, g, h] = values as string[];
        const identity = { user: a, roles: b, traits: c, requests: d, generation: e, expires: f };
        for (const subject of [a, { identity: g }, { identity, roles: new Map([[h, g]]), locks: a, user: h, now: b }]) {
          const resource = { kind: 'ledger', name: a, labels: b } as never;
          const asked = { subject: subject as never, resource, protocol: ledger, ask: c };
          assert.equal(decide(asked).allowed, false);
          assert.equal(decideVisible(asked).allowed, false);
          assert.equal(decideRule({ subject: subject as never, kind: a as string, verb: b as 'list' }).allowed, false);
        }
      }),
      { numRuns },
    );
  });

  it('are total over role documents of any content', () => {
    const anything = fc.anything({ withNullPrototype: true, withMap: true, withDate: true, withBigInt: true });
    const document = fc.oneof(
      anything,
      fc.record(
        { kind: fc.constant('role'), name: fc.constant('r0'), allow: anything, deny: anything, options: anything },
        { requiredKeys: ['kind', 'name'] },
      ),
      fc.record({
        kind: fc.constant('role'),
        name: fc.constant('r0'),
        allow: fc.record({ ledger: anything, '*': anything, rules: anything }, { requiredKeys: [] }),
      }),
    );
    fc.assert(
      fc.property(document, world, (written, { resource: at, ask: asked }) => {
        const roles = compileRoles([['r0', written]], protocols);
        const subject = { ...holding({ r0: {} }), roles };
        assert.equal(decide({ subject, resource: at, protocol: ledger, ask: asked }).allowed, false);
      }),
      { numRuns },
    );
  });
});

import assert from 'node:assert/strict';
import { apiKinds, decideRule, presetRoles, verbs, type Verb } from '../../src/rbac/index.js';
import { verbs as contractVerbs } from '../../src/api/contract/endpoint.js';
import { holding, type Circumstances } from './world.js';

const rule = (kinds: string[], ...does: string[]): object => ({ rules: [{ kinds, verbs: does }] });
const may = (documents: Record<string, object>, kind: string, verb: Verb, rest: Circumstances = {}): string => {
  const decision = decideRule({ subject: holding(documents, rest), kind, verb });
  return decision.allowed ? 'allowed' : decision.code;
};
const preset = (name: string): Record<string, object> => ({
  [name]: presetRoles.find((role) => role.name === name) ?? {},
});

describe('rules', () => {
  const table: readonly [documents: Record<string, object>, kind: string, verb: Verb, want: string][] = [
    [{}, 'user', 'read', 'access_denied'],
    [{ a: { allow: rule(['user'], 'read') } }, 'user', 'read', 'allowed'],
    [{ a: { allow: rule(['user'], 'read') } }, 'user', 'list', 'access_denied'],
    [{ a: { allow: rule(['user'], 'read') } }, 'role', 'read', 'access_denied'],
    [{ a: { allow: rule(['*'], 'read') } }, 'role', 'read', 'allowed'],
    [{ a: { allow: rule(['user'], '*') } }, 'user', 'delete', 'allowed'],
    [{ a: { allow: rule(['*'], '*'), deny: rule(['role'], 'update') } }, 'role', 'update', 'access_denied'],
    [{ a: { allow: rule(['*'], '*'), deny: rule(['role'], 'update') } }, 'role', 'read', 'allowed'],
    [{ a: { allow: rule(['*'], '*') }, b: { deny: rule(['*'], '*') } }, 'user', 'list', 'access_denied'],
    [{ a: { allow: rule(['*'], '*') }, b: { unreadable: true } }, 'user', 'list', 'access_denied'],
    [{ a: { allow: { '*': { labels: { '*': '*' } } } } }, 'user', 'list', 'access_denied'],
  ];
  for (const [documents, kind, verb, want] of table)
    it(`${JSON.stringify(documents)}: ${verb} ${kind} is ${want}`, () => {
      assert.equal(may(documents, kind, verb), want);
    });

  it('refuses whom every decision refuses', () => {
    const editor = preset('editor');
    assert.equal(may(editor, 'user', 'read'), 'allowed');
    assert.equal(may(editor, 'user', 'read', { locks: [{ target: { role: 'editor' } }] }), 'locked');
    assert.equal(may(editor, 'user', 'read', { user: { generation: 9, disabled: false } }), 'expired');
    assert.equal(may(editor, 'user', 'read', { identity: { roles: 3 as never } }), 'internal');
  });

  it('the preset editor may do everything, auditor reads, access nothing', () => {
    for (const kind of apiKinds)
      for (const verb of verbs) {
        assert.equal(may(preset('editor'), kind, verb), 'allowed');
        assert.equal(may(preset('access'), kind, verb), 'access_denied');
        const reads = ['audit', 'recording', 'session'].includes(kind) && (verb === 'list' || verb === 'read');
        assert.equal(may(preset('auditor'), kind, verb), reads ? 'allowed' : 'access_denied');
      }
  });

  it('knows the verbs of the API, and no others', () => {
    assert.deepEqual(verbs, contractVerbs);
  });
});

import assert from 'node:assert/strict';
import { fakeIdentity } from '@postern/plugin-sdk/testing';
import { HeaderFields } from '@postern/plugin-sdk/http1';
import { subjectOf, withoutIdentity } from '../src/impersonation.js';
import { kubernetes } from '../src/protocol.js';

const { access, ask } = kubernetes.auth;
const permits = (...asked: Parameters<typeof kubernetes.auth.permits>) => kubernetes.auth.permits(...asked);
const forbids = (...asked: Parameters<typeof kubernetes.auth.forbids>) => kubernetes.auth.forbids(...asked);
const role = (more: Readonly<Record<string, unknown>> = {}) =>
  access.parse({
    users: ['dev'],
    groups: ['team-*'],
    namespaces: ['shop'],
    verbs: ['get'],
    resources: ['pods', 'pods/log'],
    ...more,
  });
const wanted = (more: Readonly<Record<string, unknown>> = {}) =>
  ask.parse({ user: 'dev', groups: ['team-a'], verb: 'get', resource: 'pods', namespace: 'shop', ...more });

describe('a role for Kubernetes', () => {
  it('permits what all of its lists name', () => {
    assert.equal(permits(role(), wanted()), true);
    for (const other of [
      { user: 'admin' },
      { groups: ['team-a', 'system:masters'] },
      { verb: 'list' },
      { resource: 'pods/exec' },
      { resource: 'pods.evil.io' },
      { namespace: 'vault' },
      { namespace: '' },
    ])
      assert.equal(permits(role(), wanted(other)), false, JSON.stringify(other));
  });

  it('lets its users in, who may look around', () => {
    assert.equal(permits(role({ verbs: [], resources: [] }), ask.parse({ user: 'dev', groups: ['team-a'] })), true);
    assert.equal(permits(role(), ask.parse({ user: 'dev', path: '/metrics' })), false);
    assert.equal(permits(role({ paths: ['/metrics'] }), ask.parse({ user: 'dev', path: '/metrics' })), true);
  });

  it('an ask that is half a request permits nothing', () => {
    assert.equal(permits(role(), ask.parse({ user: 'dev', verb: 'get' })), false);
    assert.equal(permits(role(), ask.parse({ user: 'dev', verb: 'get', resource: 'pods' })), false);
    assert.equal(permits(role(), ask.parse({ user: 'dev', namespace: 'vault' })), false);
  });

  it('that denies a namespace denies lists over all of them', () => {
    const denied = access.parse({ namespaces: ['vault'] });
    const list = { verb: 'list', namespace: '' };
    assert.equal(forbids(denied, wanted(list)), true);
    assert.equal(forbids(denied, wanted({ ...list, resource: 'nodes' })), false);
    assert.equal(forbids(denied, wanted({ namespace: 'vault' })), true);
    assert.equal(forbids(denied, wanted()), false);
  });

  it('that denies a part denies the whole', () => {
    for (const part of [{ users: ['d*'] }, { groups: ['team-a'] }, { verbs: ['get'] }, { resources: ['pods'] }])
      assert.equal(forbids(access.parse(part), wanted()), true);
  });
});

describe('whom a request is made as', () => {
  const identity = (...principals: string[]) => fakeIdentity({ principals: { kubernetes: principals } });
  const fields = (more: Readonly<Record<string, string>> = {}) => HeaderFields.of(more);

  it('is whom the roles name', () => {
    assert.deepEqual(subjectOf(fields(), identity('dev', 'group:a', 'group:b*')), {
      user: 'dev',
      groups: ['a'],
      chosen: false,
    });
    assert.equal(subjectOf(fields(), identity('*')).user, 'alice');
    assert.equal(subjectOf(fields(), identity('alice', 'dev')).user, 'alice');
  });

  it('is asked for where there is a choice', () => {
    assert.throws(() => subjectOf(fields(), identity('dev', 'ops')), { message: /--as: dev, ops/ });
  });

  it('is whom the client names, who leaves their own groups behind', () => {
    const chosen = subjectOf(fields({ 'Impersonate-User': 'ops' }), identity('dev', 'group:a'));
    assert.deepEqual(chosen, { user: 'ops', groups: [], chosen: true });
    assert.throws(() =>
      subjectOf(
        new HeaderFields([...fields({ 'Impersonate-User': 'a' }), ...fields({ impersonate_user: 'b' })]),
        identity(),
      ),
    );
  });

  it('is not told by anything else that a client sends', () => {
    const spoofed = fields({
      Authorization: 'Bearer stolen',
      'Impersonate-User': 'admin',
      'impersonate-group': 'system:masters',
      'Impersonate-Uid': '0',
      'Impersonate-Extra-Scopes': 'x',
      Impersonate_Extra_y: 'x',
      'X-Remote-User': 'admin',
      X_Remote_Group: 'system:masters',
      'Sec-WebSocket-Protocol': 'base64url.bearer.authorization.k8s.io.c3RvbGVu, v5.channel.k8s.io',
      Accept: 'kept',
    });
    assert.deepEqual(
      [...withoutIdentity(spoofed)].map(({ name, value }) => `${name}: ${value}`),
      ['Accept: kept', 'Sec-WebSocket-Protocol: v5.channel.k8s.io'],
    );
  });

  for (const name of ['', ' a', 'a ', 'a\r\nImpersonate-Group: x', 'é', 'a\0', 'x'.repeat(300)])
    it(`a name that cannot stand in a header is no ask: ${JSON.stringify(name.slice(0, 20))}`, () => {
      assert.equal(ask.safeParse({ user: name }).success, false);
      assert.equal(ask.safeParse({ user: 'a', groups: [name] }).success, false);
    });
});

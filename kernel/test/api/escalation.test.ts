import assert from 'node:assert/strict';
import type { ApiClient } from '../../src/api/index.js';
import { deleteDocument, getMe, putDocument } from '../../src/api/contract/index.js';
import { TestCluster } from '../../../test/support/cluster.js';
import { linePlugin } from '../cluster/line-protocol.js';

describe('whoever may register resources', () => {
  let cluster: TestCluster;
  let registrar: ApiClient;
  let editor: ApiClient;
  before(async () => {
    const rule = (kinds: string[]) => ({ allow: { rules: [{ kinds, verbs: ['*'] }] } });
    cluster = await TestCluster.start({
      plugins: [linePlugin()],
      roles: [
        { name: 'registrar', ...rule(['document']) },
        { name: 'editor-of-roles', ...rule(['document', 'role']) },
      ],
      users: { reg: { roles: ['registrar'] }, ed: { roles: ['editor-of-roles'] } },
    });
    registrar = cluster.api(await cluster.login('reg'));
    editor = cluster.api(await cluster.login('ed'));
    // Connections stay until the cluster goes: they are opened here, where they belong.
    await Promise.all([registrar, editor].map((api) => api.call(getMe, {})));
  });
  after(() => cluster[Symbol.asyncDispose]());

  const role = (name: string) => ({ kind: 'role', name, document: { kind: 'role', name, allow: {} } });

  it('registers them', async () => {
    const document = { kind: 'lines', name: 'one', labels: {}, spec: {} };
    assert.equal((await registrar.call(putDocument, { kind: 'lines', name: 'one', document })).created, true);
  });

  it('does not write a role that would give them everything, nor remove one that denies', async () => {
    const everything = { ...role('registrar'), document: { kind: 'role', name: 'registrar', allow: { rules: [{ kinds: ['*'], verbs: ['*'] }] } } }; // prettier-ignore
    await assert.rejects(registrar.call(putDocument, everything), { code: 'access_denied' });
    await assert.rejects(registrar.call(deleteDocument, { kind: 'role', name: 'editor-of-roles' }), {
      code: 'access_denied',
    });
  });

  it('writes roles only with a rule about roles', async () => {
    assert.equal((await editor.call(putDocument, role('new'))).created, true);
    await editor.call(deleteDocument, { kind: 'role', name: 'new' });
  });
});

import assert from 'node:assert/strict';
import { isSelfReview, readApiRequest } from '../src/api-request.js';

/** `verb resource namespace name`, or the path. */
function read(line: string): string {
  const [method = '', target = ''] = line.split(' ');
  const request = readApiRequest(method, target);
  if (request.kind === 'path') return `${request.open ? 'open' : 'path'} ${request.path}`;
  return [request.verb, request.resource, request.namespace || '-', request.name || '-'].join(' ');
}

describe('a request to the API server', () => {
  const cases: Readonly<Record<string, string>> = {
    'GET /api/v1/namespaces/shop/pods': 'list pods shop -',
    'GET /api/v1/namespaces/shop/pods/': 'list pods shop -',
    'HEAD /api/v1/namespaces/shop/pods/box': 'get pods shop box',
    'GET /api/v1/namespaces/shop/pods/box/log?follow=true': 'get pods/log shop box',
    'GET /api/v1/namespaces/shop/pods?watch=true': 'watch pods shop -',
    'GET /api/v1/namespaces/shop/pods?watch': 'watch pods shop -',
    'GET /api/v1/namespaces/shop/pods?w%61tch=1': 'watch pods shop -',
    'GET /api/v1/namespaces/shop/pods?watch=0': 'list pods shop -',
    'GET /api/v1/namespaces/shop/pods?watch=False': 'list pods shop -',
    'GET /api/v1/pods': 'list pods - -',
    'GET /api/v1/watch/pods': 'watch pods - -',
    'GET /api/v1/watch/namespaces/shop/pods/box': 'watch pods shop box',
    'DELETE /api/v1/namespaces/shop/pods': 'deletecollection pods shop -',
    'DELETE /api/v1/namespaces/shop/pods/box': 'delete pods shop box',
    'POST /api/v1/namespaces/shop/pods': 'create pods shop -',
    'PUT /api/v1/namespaces/shop': 'update namespaces shop shop',
    'PUT /api/v1/namespaces/shop/status': 'update namespaces/status shop shop',
    'PUT /api/v1/namespaces/shop/finalize': 'update namespaces/finalize shop shop',
    'GET /api/v1/namespaces': 'list namespaces - -',
    'POST /api/v1/namespaces': 'create namespaces - -',
    'GET /api/v1/nodes/one/proxy/metrics': 'get nodes/proxy - one',
    'POST /api/v1/namespaces/shop/pods/box/exec?command=id': 'create pods/exec shop box',
    'GET /api/v1/namespaces/shop/pods/box/exec?command=id': 'create pods/exec shop box',
    'GET /api/v1/namespaces/shop/pods/box/attach': 'create pods/attach shop box',
    'GET /api/v1/namespaces/shop/pods/box/portforward': 'create pods/portforward shop box',
    'PATCH /apis/apps/v1/namespaces/shop/deployments/web/scale': 'patch deployments.apps/scale shop web',
    'GET /apis/rbac.authorization.k8s.io/v1/clusterroles/system:node':
      'get clusterroles.rbac.authorization.k8s.io - system:node',
    'GET /apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode':
      'get clusterroles.rbac.authorization.k8s.io - system:node',
    'GET /api/v1/namespaces/%73hop/%70ods': 'list pods shop -',
    'GET /': 'open /',
    'GET /api': 'open /api',
    'GET /apis/apps/v1': 'open /apis/apps/v1',
    'GET /openapi/v3/apis/apps/v1': 'open /openapi/v3/apis/apps/v1',
    'GET /version': 'open /version',
    'GET /readyz/ping': 'open /readyz/ping',
    'POST /version': 'path /version',
    'GET /metrics': 'path /metrics',
    'GET /logs/': 'path /logs/',
    'GET /versions': 'path /versions',
    'GET /healthzz': 'path /healthzz',
  };
  for (const [line, meaning] of Object.entries(cases))
    it(`\`${line}\` is \`${meaning}\``, () => assert.equal(read(line), meaning));

  const attacks = [
    '/api/v1/namespaces/shop/../vault/pods',
    '/api/v1/namespaces/shop/./pods',
    '/api/v1/namespaces/shop%2F..%2Fvault/pods',
    '/api/v1/namespaces/shop%2fpods',
    '/api/v1/namespaces/%2e%2e/pods',
    '/api/v1//namespaces/vault/pods',
    '//api/v1/pods',
    '/api/v1/namespaces//pods',
    '/api/v1/namespaces/shop/pods/a%00b',
    '/api/v1/namespaces/shop/pods/a%5Cb',
    '/api/v1/namespaces/shop/pods/%zz',
    '/api/v1/namespaces/shop/pods/%ff',
    '/api/v1/namespaces/shop/pods/%2573',
    '/api/v1/namespaces/shop/pods/box/proxy/../../../vault',
    '/api/v1/namespaces/shop/pods/box/proxy/a%2F..%2Fb',
    '/api/v1/namespaces/shop/pods?a=b;watch=1',
    '/api/v1/watch',
  ];
  for (const target of attacks)
    it(`a path that can be read in two ways is refused: ${target}`, () => {
      assert.throws(() => readApiRequest('GET', target), { code: 'invalid_argument' });
    });

  it('of an unknown method is refused', () => {
    for (const method of ['OPTIONS', 'CONNECT', 'TRACE', 'get', 'PROPFIND'])
      assert.throws(() => readApiRequest(method, '/api'), { code: 'invalid_argument' });
  });

  it('about oneself needs no rule, and nothing else looks like one', () => {
    const review = (target: string, method = 'POST'): boolean => isSelfReview(readApiRequest(method, target));
    assert.equal(review('/apis/authorization.k8s.io/v1/selfsubjectaccessreviews'), true);
    assert.equal(review('/apis/authentication.k8s.io/v1/selfsubjectreviews'), true);
    assert.equal(review('/apis/authorization.k8s.io/v1/subjectaccessreviews'), false);
    assert.equal(review('/apis/evil.io/v1/selfsubjectaccessreviews'), false);
    assert.equal(review('/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', 'GET'), false);
  });
});

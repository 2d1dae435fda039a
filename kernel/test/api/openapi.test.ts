import assert from 'node:assert/strict';
import { Validator } from '@seriousme/openapi-schema-validator';
import * as contract from '../../src/api/contract/index.js';
import { openApi } from '../../src/api/openapi.js';

const endpoints = Object.values(contract).flatMap((value) =>
  'method' in value && 'path' in value ? [value as contract.Endpoint] : [],
);

describe('the description of the API', () => {
  const description = openApi({ cluster: 'access.example.com', version: '1.2.3' }, endpoints);

  it('is a document of OpenAPI 3.1, by the official schema', async () => {
    const validator = new Validator();
    const { valid, errors } = await validator.validate(
      JSON.parse(JSON.stringify(description)) as Record<string, unknown>,
    );
    assert.deepEqual(errors ?? [], []);
    assert.ok(valid);
    assert.equal(validator.version, '3.1');
  });

  it('has names for operations that no two share, and words for each', () => {
    const operations = Object.values(
      (description as { paths: unknown }).paths as Record<string, Record<string, Record<string, unknown>>>,
    ).flatMap((methods) => Object.values(methods));
    const names = operations.map((operation) => operation['operationId']);
    assert.equal(new Set(names).size, endpoints.length);
    for (const operation of operations) assert.match(String(operation['summary']), /\S/);
  });
});

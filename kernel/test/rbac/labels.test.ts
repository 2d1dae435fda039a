import assert from 'node:assert/strict';
import { compileLabels, selects, type LabelConditions, type Labels } from '../../src/rbac/index.js';
import { describeConditions, unmetLabels } from '../../src/rbac/labels.js';

const traits = { team: ['core', '*'], none: [] };
const selected = (clause: 'allow' | 'deny', conditions: LabelConditions | undefined, labels: Labels): boolean =>
  selects(compileLabels(conditions), clause, labels, traits);

describe('labels', () => {
  const table: readonly [conditions: LabelConditions, labels: Labels, want: boolean][] = [
    [{ '*': '*' }, {}, true],
    [{ '*': '*' }, { env: 'prod' }, true],
    [{ '*': ['*'] }, {}, true],
    [{ env: 'prod' }, { env: 'prod', team: 'x' }, true],
    [{ env: 'prod' }, { env: 'staging' }, false],
    [{ env: 'prod' }, {}, false],
    [{ env: ['staging', 'prod'] }, { env: 'prod' }, true],
    [{ env: 'prod', team: 'core' }, { env: 'prod' }, false],
    [{ env: 'prod', team: '*' }, { env: 'prod', team: '' }, true],
    [{ env: 'prod', '*': '*' }, { env: 'staging' }, false],
    [{ env: 'pr*' }, { env: 'prod' }, true],
    [{ team: '{{external.team}}' }, { team: 'core' }, true],
    [{ team: '{{external.team}}' }, { team: 'other' }, false],
    [{ team: '{{external.none}}' }, { team: '' }, false],
    [{ team: 'x-{{external.team}}-*' }, { team: 'x-core-1' }, true],
  ];
  for (const [conditions, labels, want] of table)
    for (const clause of ['allow', 'deny'] as const)
      it(`${clause}: ${describeConditions(conditions)} ${want ? 'selects' : 'passes over'} ${JSON.stringify(labels)}`, () => {
        assert.equal(selected(clause, conditions, labels), want);
      });

  it('an entry without labels allows nothing and denies everything', () => {
    for (const conditions of [undefined, {}]) {
      assert.equal(selected('allow', conditions, { env: 'prod' }), false);
      assert.equal(selected('deny', conditions, { env: 'prod' }), true);
    }
  });

  it('labels that cannot be read allow nothing and deny everything', () => {
    assert.equal(selected('allow', { env: '{{oops}}' }, { env: 'prod' }), false);
    assert.equal(selected('deny', { env: '{{oops}}' }, { env: 'prod' }), true);
  });

  it('a trait with a wildcard does not become a pattern', () => {
    assert.equal(selected('allow', { team: '{{external.team}}' }, { team: 'finance' }), false);
    assert.equal(selected('allow', { team: '{{external.team}}' }, { team: '*' }), true);
  });

  it('a label key __proto__ or constructor is a key like any other', () => {
    const labels = JSON.parse('{"__proto__":"x","env":"prod"}') as Labels;
    const conditions = JSON.parse('{"__proto__":"x"}') as LabelConditions;
    assert.equal(selected('allow', conditions, labels), true);
    assert.equal(selected('allow', conditions, { env: 'prod' }), false);
    assert.equal(selected('allow', { constructor: '*' }, { env: 'prod' }), false);
    assert.equal(selected('allow', { toString: '*' }, {}), false);
  });

  it('a label that is inherited is not the resource’s own', () => {
    const labels = Object.create({ env: 'prod' }) as Labels;
    assert.equal(selected('allow', { env: 'prod' }, labels), false);
  });

  it('names the conditions that are not met', () => {
    const selector = compileLabels({ env: 'prod', team: 'core', zone: '*' });
    assert.deepEqual(unmetLabels(selector, { env: 'prod', team: 'x' }, {}), ['team', 'zone']);
  });
});

import assert from 'node:assert/strict';
import { PosternError } from '@postern/plugin-sdk';
import { checkConformance, conformance, type Runner } from '@postern/plugin-sdk/testing';
import { sealedHarness, sealedPlugin } from '../support/sealed.js';

/** A plugin whose protocol ends its own encryption, driven by a native client: the kit cannot write its bytes. */
conformance(sealedPlugin, sealedHarness());

/** A runner that runs nothing, and remembers what it was told. */
class Rehearsal implements Runner {
  readonly titles: string[] = [];
  readonly tests: { readonly title: string; readonly body: (this: unknown) => Promise<void> }[] = [];
  readonly hooks: (() => Promise<void>)[] = [];

  describe = (title: string, body: () => void): void => {
    this.titles.push(title);
    body();
  };
  it = (title: string, body: (this: unknown) => Promise<void>): void => void this.tests.push({ title, body });
  before = (body: () => Promise<void>): void => void this.hooks.push(body);
  after = this.before;
}

describe('conformance', () => {
  it('declares its checks in any runner, and names what it leaves out', async () => {
    const runner = new Rehearsal();
    conformance(sealedPlugin, sealedHarness(), runner);
    assert.equal(runner.titles[0], 'sealed as a plugin');
    const left = runner.tests.filter(({ title }) => title.includes('(left out: '));
    assert.ok(
      left.some(({ title }) => title === 'reads no faster than its client (left out: the harness has no bulk)'),
    );
    assert.ok(left.some(({ title }) => title.startsWith('describes the native client')));
    let skipped = 0;
    for (const { body } of left) await body.call({ skip: () => (skipped += 1) });
    assert.equal(skipped, left.length);
  });

  it('allows its checks time where the runner can', async () => {
    const runner = new Rehearsal();
    conformance(sealedPlugin, sealedHarness(), runner);
    const allowed: number[] = [];
    const [open, close] = runner.hooks;
    const test = runner.tests.find(({ title }) => title === 'has a default configuration');
    await open?.();
    await test?.body.call({ timeout: (ms: number) => allowed.push(ms) });
    await close?.();
    assert.deepEqual(allowed, [60_000]);
  });

  it('leaves out a check from which a plugin is exempt, with the reason', async () => {
    const name = 'tells the client when the resource hangs up';
    const [result] = await checkConformance(sealedPlugin, { ...sealedHarness(), exempt: { [name]: 'just because' } }, [
      name,
    ]);
    assert.deepEqual(result, { name, skipped: 'just because' });
  });

  for (const name of ['dials nothing before access was granted', 'no such check'])
    it(`exempts nobody from "${name}"`, async () => {
      const harness = { ...sealedHarness(), exempt: { [name]: 'because' } };
      assert.throws(() => conformance(sealedPlugin, harness, new Rehearsal()), /no plugin is exempt/);
      await assert.rejects(checkConformance(sealedPlugin, harness), /no plugin is exempt/);
    });

  it('knows its checks', async () => {
    await assert.rejects(checkConformance(sealedPlugin, sealedHarness(), ['no such check']), /there is no check/);
  });

  it('needs a runner', () => {
    const { describe: kept } = globalThis;
    try {
      Object.assign(globalThis, { describe: undefined });
      assert.throws(() => conformance(sealedPlugin, sealedHarness()), /there is no global describe/);
    } finally {
      Object.assign(globalThis, { describe: kept });
    }
  });

  it('reads what reached a resource from the resource, where it says so', async () => {
    const harness = sealedHarness();
    const name = 'lets nothing forbidden reach the resource';
    const [result] = await checkConformance(sealedPlugin, { ...harness, access: { topics: ['*'] } }, [name]);
    assert.match(result?.failure?.message ?? '', /what is forbidden has reached the resource/);
  });

  it('fails where a certificate that nobody signed is believed', async () => {
    const strict = sealedHarness();
    const refused = await checkConformance(
      sealedPlugin,
      { ...strict, verify: () => Promise.reject(new PosternError('unauthenticated', 'no')) },
      ['holds a conversation'],
    );
    assert.match(refused[0]?.failure?.message ?? '', /the answer is "refused: unauthenticated\\n"/);
  });
});

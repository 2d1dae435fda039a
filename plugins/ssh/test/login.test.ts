import assert from 'node:assert/strict';
import { userInfo } from 'node:os';
import { PosternError } from '@postern/plugin-sdk';
import { checkShadow, parsePasswd, SystemLogins } from '../src/login.js';

const now = new Date('2026-03-01T00:00:00Z');
const today = Math.floor(now.getTime() / 86_400_000);

describe('a login of the machine', () => {
  it('is found by its name', async () => {
    const { username, uid, homedir } = userInfo();
    const login = await new SystemLogins().find(username);
    assert.deepEqual([login.name, login.uid, login.home], [username, uid, homedir]);
  });

  it('is looked up once in a while', async () => {
    const logins = new SystemLogins();
    assert.equal(logins.find('root'), logins.find('root'));
    await logins.find('root');
  });

  for (const name of ['', '0', '1000', '-x', 'a b', 'a\nb', 'root:x', '../x', 'x'.repeat(200), 'no-such-login'])
    it(`is not found as ${JSON.stringify(name.slice(0, 20))}`, async () => {
      await assert.rejects(
        new SystemLogins().find(name),
        (cause) => PosternError.is(cause) && cause.code === 'not_found',
      );
    });

  it('is read from a line of passwd', () => {
    assert.deepEqual(parsePasswd('web:x:1001:1002:Web,,,:/srv/web:/bin/zsh'), {
      name: 'web',
      uid: 1001,
      gid: 1002,
      home: '/srv/web',
      shell: '/bin/zsh',
    });
    assert.equal(parsePasswd('web:x:1:2:::')?.shell, '/bin/sh');
    for (const line of ['', 'web', 'web:x::1:::', 'web:x:-1:1:::', 'web:x:0x0:1:::'])
      assert.equal(parsePasswd(line), undefined);
  });

  const shadow: readonly [name: string, line: string, code: string | undefined][] = [
    ['with a password', 'a:$y$hash:1:0:9:7:::', undefined],
    ['that never had a password', 'a:!:1:0:9:7:::', undefined],
    ['that never had a password, in the way of others', 'a:!!:1:0:9:7:::', undefined],
    ['without a password', 'a:*:1:0:9:7:::', undefined],
    ['that was locked', 'a:!$y$hash:1:0:9:7:::', 'locked'],
    ['that has expired', `a:!:1:0:9:7::${today}:`, 'expired'],
    ['that expired long ago', 'a:!:1:0:9:7::1:', 'expired'],
    ['that expires tomorrow', `a:!:1:0:9:7::${today + 1}:`, undefined],
  ];
  for (const [name, line, code] of shadow)
    it(`${code === undefined ? 'may' : 'may not'} be used ${name}`, () => {
      if (code === undefined) checkShadow(line, now);
      else
        assert.throws(
          () => checkShadow(line, now),
          (cause) => PosternError.is(cause) && cause.code === code,
        );
    });
});

import assert from 'node:assert/strict';
import fc from 'fast-check';
import { z } from 'zod';
import { isClassified } from '@postern/plugin-sdk';
import { ssh, type SshAsk } from '../src/protocol.js';

const { access, ask } = ssh.auth;
const permits: typeof ssh.auth.permits = (role, wanted) => ssh.auth.permits(role, wanted);
const forbids: typeof ssh.auth.forbids = (role, wanted) => ssh.auth.forbids(role, wanted);
const parse = (value: unknown): z.output<typeof access> => access.parse(value);
const actions = ['shell', 'exec', 'pty', 'sftp', 'forward', 'reverse_forward', 'agent_forward', 'x11'] as const;

describe('a role for SSH', () => {
  it('allows nothing and denies nothing where it says nothing', () => {
    for (const action of [undefined, ...actions]) {
      const wanted: SshAsk = { login: 'root', action, host: 'localhost', port: 22 };
      assert.equal(permits(parse({}), wanted), false);
      assert.equal(forbids(parse({}), wanted), false);
    }
  });

  it('lets a login have shells, commands, terminals and file transfers, and no forwarding', () => {
    const role = parse({ logins: ['deploy'] });
    const may = [undefined, ...actions].filter((action) =>
      permits(role, { login: 'deploy', action, host: 'localhost', port: 22 }),
    );
    assert.deepEqual(may, [undefined, 'shell', 'exec', 'pty', 'sftp']);
    assert.equal(permits(role, { login: 'root' }), false);
  });

  it('switches every action on and off by its name', () => {
    for (const action of actions) {
      const wanted: SshAsk = { login: 'deploy', action, host: 'localhost', port: 22 };
      assert.equal(permits(parse({ logins: ['deploy'], permit: { [action]: true } }), wanted), true, action);
      assert.equal(permits(parse({ logins: ['deploy'], permit: { [action]: false } }), wanted), false, action);
      assert.equal(forbids(parse({ permit: { [action]: true } }), wanted), true, action);
      assert.equal(forbids(parse({ permit: { [action]: false } }), wanted), false, action);
    }
  });

  const destinations: readonly [pattern: string, host: string, port: number, fits: boolean][] = [
    ['db.internal:5432', 'db.internal', 5432, true],
    ['db.internal:5432', 'DB.Internal', 5432, true],
    ['db.internal:5432', 'db.internal', 5433, false],
    ['db.internal:5432', 'xdb.internal', 5432, false],
    ['*.internal:80-90', 'a.b.internal', 80, true],
    ['*.internal:80-90', 'a.b.internal', 90, true],
    ['*.internal:80-90', 'a.b.internal', 91, false],
    ['*.internal:80-90', 'internal', 80, false],
    ['*:*', 'anything', 1, true],
    ['db-*-eu:5432', 'db-1-eu', 5432, true],
    ['db-*-eu:5432', 'db-eu', 5432, false],
    ['a*a:1', 'a', 1, false],
    ['a*b*c:1', 'a-b-c', 1, true],
    ['a*b*c:1', 'a-c-b', 1, false],
    ['[::1]:80', '::1', 80, true],
    ['10.0.0.*:22', '10.0.0.7', 22, true],
    ['10.0.0.*:22', '10.0.1.7', 22, false],
  ];
  for (const [pattern, host, port, fits] of destinations)
    it(`finds that ${pattern} ${fits ? 'fits' : 'does not fit'} ${host}:${port}`, () => {
      const role = parse({ logins: ['x'], permit: { forward: [pattern] } });
      assert.equal(permits(role, { login: 'x', action: 'forward', host, port }), fits);
      assert.equal(
        forbids(parse({ permit: { forward: [pattern] } }), { login: 'x', action: 'forward', host, port }),
        fits,
      );
    });

  it('names no destination by an empty list', () => {
    const role = parse({ logins: ['x'], permit: { forward: [] } });
    assert.equal(permits(role, { login: 'x', action: 'forward', host: 'a', port: 1 }), false);
  });

  it('takes * in a login for any characters', () => {
    assert.equal(permits(parse({ logins: ['app-*'] }), { login: 'app-web' }), true);
    assert.equal(permits(parse({ logins: ['app-*'] }), { login: 'root' }), false);
    assert.equal(forbids(parse({ logins: ['*'] }), { login: 'root' }), true);
  });

  it('takes templates in a login, for what they stand for', () => {
    for (const login of ['{{internal.logins}}', 'app-{{external["unix names"]}}', '{{internal.team}}-*'])
      assert.ok(access.safeParse({ logins: [login] }).success, login);
    assert.ok(access.safeParse(ssh.auth.preset).success);
  });

  it('rejects what it does not know', () => {
    for (const value of [
      { login: ['x'] },
      { permit: { tunnel: true } },
      { permit: { forward: ['nowhere'] } },
      { logins: [''] },
    ])
      assert.ok(!access.safeParse(value).success, JSON.stringify(value));
  });

  it('answers every question of every role', () => {
    const logins = fc.array(fc.constantFrom('a', 'b*', '*', 'root'));
    const setting = fc.option(fc.oneof(fc.boolean(), fc.array(fc.constantFrom('*:*', 'a:1', 'b*:1-9'))), {
      nil: undefined,
    });
    const permit = fc.record({
      forward: setting,
      reverse_forward: setting,
      exec: fc.option(fc.boolean(), { nil: undefined }),
    });
    const wanted = fc.record({
      login: fc.constantFrom('a', 'bb', 'root'),
      action: fc.option(fc.constantFrom(...actions), { nil: undefined }),
      host: fc.option(fc.constantFrom('a', 'b.c', ''), { nil: undefined }),
      port: fc.option(fc.integer({ min: 0, max: 65_535 }), { nil: undefined }),
    });
    fc.assert(
      fc.property(logins, permit, wanted, (names, settings, question) => {
        const role = parse(JSON.parse(JSON.stringify({ logins: names, permit: settings })));
        const parsed = ask.parse(JSON.parse(JSON.stringify(question)));
        assert.equal(typeof permits(role, parsed), 'boolean');
        assert.equal(typeof forbids(role, parsed), 'boolean');
        // More logins never take anything away.
        if (permits(role, parsed)) assert.ok(permits({ ...role, logins: [...role.logins, 'more'] }, parsed));
      }),
    );
  });

  it('has a node dial what was asked for, and only for that', () => {
    const spec = ssh.auth.resource.parse({});
    assert.deepEqual(ssh.auth.endpoints(spec, { login: 'x', action: 'forward', host: 'db', port: 5432 }), [
      { host: 'db', port: 5432 },
    ]);
    for (const action of [undefined, 'shell', 'reverse_forward'] as const)
      assert.deepEqual(ssh.auth.endpoints(spec, { login: 'x', action, host: 'db', port: 5432 }), []);
  });

  it('puts its logins into certificates', () => {
    assert.deepEqual(ssh.auth.principals?.(parse({ logins: ['a', 'b'] })), ['a', 'b']);
  });
});

describe('a login that is no name of an account', () => {
  const names = ['-oProxyCommand=id', '-', '--', '', '.', '../root', '/etc/passwd', '0', '1000', '+1000', 'root:x:0:0'];
  const others = [
    'root root',
    'root\n',
    '\nroot',
    'root\0',
    'root,admin',
    '*',
    'r*',
    '{{internal.logins}}',
    '$',
    '$(id)',
    '`id`',
  ];
  const more = [
    '"root"',
    "'root'",
    'root;id',
    'ro\u{6f}t\u{200b}',
    '\u{440}oot',
    '@wheel',
    '%root',
    '!root',
    'a'.repeat(130),
  ];
  for (const login of [...names, ...others, ...more])
    it(`cannot be asked for: ${JSON.stringify(login.slice(0, 20))}`, () => {
      assert.equal(ask.safeParse({ login }).success, false);
    });

  it('cannot be put into a role where it would be taken for an option', () => {
    for (const login of [
      '-oProxyCommand=id',
      '-l',
      '--',
      'root root',
      'root\n',
      'root,admin',
      '',
      '{{',
      '{{}}',
      '$(id)',
    ])
      assert.equal(access.safeParse({ logins: [login] }).success, false, login);
  });

  it('is none of those that accounts do have', () => {
    for (const login of [
      'root',
      '_apt',
      'www-data',
      'systemd-network',
      'Alice.B',
      'CORP\\alice',
      'alice@corp.example',
      'pc-7$',
      'a',
    ])
      assert.ok(ask.safeParse({ login }).success && permits(parse({ logins: [login] }), ask.parse({ login })), login);
  });
});

describe('the declaration of SSH', () => {
  it('accepts an empty configuration and an empty resource', () => {
    assert.equal(ssh.config.parse({}).keepalive_seconds, 60);
    assert.deepEqual(ssh.auth.resource.parse({}), { mode: 'node' });
  });

  it('classifies every field of every event', () => {
    for (const [name, { fields }] of Object.entries(ssh.audit))
      for (const [field, schema] of Object.entries<z.ZodType>(fields.shape))
        assert.ok(isClassified(schema), `${name}.${field}`);
  });

  it('can be written down as JSON Schema', () => {
    for (const schema of [ssh.config, ssh.auth.resource, access]) assert.ok(z.toJSONSchema(schema));
  });
});

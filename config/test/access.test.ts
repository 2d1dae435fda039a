import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, stat } from 'node:fs/promises';
import { hostname, userInfo } from 'node:os';
import net from 'node:net';
import { join } from 'node:path';
import { binary, build, homeFile, run, TestCluster } from './support/programs.js';
import { openTerminal } from './support/terminal.js';

const password = 'correct horse battery staple';
const login = userInfo().username;

describe('a user who is logged in', function () {
  this.timeout(60_000);
  let cluster: TestCluster;
  let node: string;

  before(async () => {
    await build();
    cluster = await TestCluster.start();
    const resource = { host: '127.0.0.1', port: 1, auth: { method: 'trust' }, tls: { mode: 'disable' } };
    const document = { kind: 'postgres', name: 'shop', labels: { env: 'test' }, spec: resource };
    await cluster.postern(['create', '-f', '-'], JSON.stringify(document));
    const traits = [`--trait=logins=${login}`, '--trait=db_users=app', '--trait=db_names=shop'];
    await cluster.user('alice', password, traits);
    await cluster.login('alice', [password]);
    const { stdout } = await cluster.psh(['ls', 'ssh', '--format=json']);
    node = (JSON.parse(stdout) as { name: string }[])[0]?.name ?? '';
  });
  after(() => cluster[Symbol.asyncDispose]());

  it('lists what there is, by kind and label', async () => {
    assert.ok(hostname().toLowerCase().startsWith(node));
    const { stdout } = await cluster.psh(['ls', '--label=env=test']);
    assert.match(
      stdout,
      /^KIND +NAME +AS +LABELS +ADDRESS +HEALTH\npostgres +shop +app +env=test +shop\.postgres\.postern\.localhost +\S.*\n$/,
    );
  });

  it('runs stock ssh, which finds its way by what login wrote', async () => {
    const config = join(cluster.home, '.ssh/config');
    for (const name of [node, `${node}.ssh.postern.localhost`]) {
      const args = ['-F', config, '-o', 'ControlMaster=no', `${login}@${name}`, 'echo $((6*7)); exit 5'];
      const { code, stdout, stderr } = await run('ssh', args, { cwd: '/', env: cluster.env });
      assert.deepEqual([code, stdout], [5, '42\n'], stderr);
    }
  });

  it('gets the exit code of the native program', async () => {
    const { code, stdout, stderr } = await cluster.psh([
      'ssh',
      '-o',
      'ControlMaster=no',
      `${login}@${node}`,
      'echo hello; exit 6',
    ]);
    assert.deepEqual([code, stdout], [6, 'hello\n'], stderr);
  });

  it('opens no local port for a name that nobody has', async () => {
    const { code, stdout, stderr } = await cluster.psh(['proxy', 'postgres', 'shopp']);
    assert.notEqual(code, 0);
    assert.equal(stdout, '');
    assert.match(stderr, /you may reach no postgres shopp; see: psh ls/);
  });

  it('is told where what login wrote is, and how to connect', async () => {
    const { stdout } = await cluster.psh(['db', 'login', 'shop']);
    assert.match(stdout, /^Written for your native tools: .*~\/\.pg_service\.conf.*\.\n/);
    assert.match(stdout, /Reach postgres\/shop with them, or with:\n\n {4}psh db connect shop\n$/);
  });

  it('is told why a route is refused', async () => {
    const { code, stderr } = await cluster.psh(['proxy', 'ssh', 'nowhere', '--stdio']);
    assert.equal(code, 1);
    assert.match(stderr, /the proxy refused nowhere\.ssh\.postern\.localhost/);
  });

  it('gets the variables of native database clients, and no secret among them', async () => {
    const { stdout } = await cluster.psh(['db', 'env', 'shop']);
    assert.match(stdout, /^export PGHOST=shop\.postgres\.postern\.localhost$/m);
    assert.match(stdout, /^export PGUSER=app$/m);
    assert.doesNotMatch(stdout, /PGPASSWORD|BEGIN/);
    const unknown = await cluster.psh(['db', 'env', 'nothing']);
    assert.deepEqual([unknown.code, unknown.stderr], [1, 'psh: you may reach no db nothing; see: psh db ls\n']);
  });

  it('opens a socket through which an unmodified client speaks, and which Ctrl-C takes away', async () => {
    const path = join(cluster.directory, 'sockets', 's');
    const args = [binary('psh'), 'proxy', 'postgres', 'shop', `--socket=${path}`];
    const child = spawn(process.execPath, args, { env: cluster.env, stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    // The database is not there: what comes is the agent's refusal, in the client's own protocol.
    const answers = await Promise.all([startup(path), startup(path), startup(path)]);
    for (const answer of answers) assert.equal(answer[0], 'E'.charCodeAt(0));
    child.kill('SIGINT');
    assert.deepEqual(await once(child, 'exit'), [0, null]);
    assert.deepEqual(await readdir(join(cluster.directory, 'sockets')), []);
  });

  /** Opens a session as a PostgreSQL client without TLS does, and resolves with all that is answered. */
  async function startup(path: string): Promise<Buffer> {
    const socket = net.connect({ path });
    const parameters = Buffer.from('user\0app\0database\0shop\0\0');
    const head = Buffer.alloc(8);
    head.writeInt32BE(8 + parameters.length, 0);
    head.writeInt32BE(196_608, 4);
    socket.write(Buffer.concat([head, parameters]));
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  }

  it('plays and exports a recorded terminal', async () => {
    const { code, output: seen } = await terminal([
      'ssh',
      '-o',
      'ControlMaster=no',
      '-tt',
      `${login}@${node}`,
      'echo one; sleep 0.5; echo two',
    ]).done;
    assert.equal(code, 0, seen);
    const listed = await cluster.psh(['recordings', 'ls', '--format=json']);
    const found = (JSON.parse(listed.stdout) as { session: string; format: string }[]).find(
      ({ format }) => format === 'terminal',
    );
    const session = found?.session ?? '';
    const cast = await cluster.psh(['recordings', 'export', session]);
    const [header = '', ...lines] = cast.stdout.trimEnd().split('\n');
    assert.equal((JSON.parse(header) as { version: number; width: number }).version, 2);
    assert.deepEqual(lines.map((line) => (JSON.parse(line) as [number, string, string])[2]).join(''), 'one\r\ntwo\r\n');
    const raw = await cluster.psh(['recordings', 'export', session, '--format=raw']);
    assert.match(raw.stdout, /one\r\ntwo/);
    const played = await cluster.psh(['play', session.slice(0, 20), '--speed=20']);
    assert.equal(played.stdout, 'one\r\ntwo\r\n', played.stderr);
    const left = terminal(['play', session, '--speed=0.2']);
    await left.shows(/one/);
    left.type('q');
    const { code: quit, output } = await left.done;
    assert.equal(quit, 0);
    assert.ok(!output.includes('two') && output.includes('\u001b[?25h'));
  });

  function terminal(args: readonly string[]) {
    const opened = openTerminal(process.execPath, [binary('psh'), ...args], {
      cwd: cluster.directory,
      env: cluster.env,
    });
    return { ...opened, done: opened.code.then((code) => ({ code, output: opened.output() })) };
  }

  it('sees the sessions that live', async () => {
    const target = `${login}@${node}.ssh.postern.localhost`;
    const config = join(cluster.home, '.ssh/config');
    const child = spawn('ssh', ['-F', config, '-o', 'ControlMaster=no', target, 'cat'], {
      env: cluster.env,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const exit = once(child, 'exit') as Promise<[number]>;
    child.stdin.write('x');
    await once(child.stdout, 'data');
    const { stdout } = await cluster.psh(['sessions', 'ls', '--format=json']);
    const [session] = JSON.parse(stdout) as { id: string; resource: string }[];
    assert.equal(session?.resource, node);
    assert.equal((await cluster.postern(['sessions', 'end', session.id])).code, 0);
    assert.notEqual((await exit)[0], 0);
  });

  it('loses what was written for one kind of tools, and gets it back', async () => {
    assert.match(await homeFile(cluster, '.pg_service.conf'), /\[shop\]/);
    assert.equal((await cluster.psh(['db', 'logout'])).code, 0);
    assert.equal(await homeFile(cluster, '.pg_service.conf'), '');
    assert.match(await homeFile(cluster, '.ssh/config'), /postern begin/);
    assert.equal((await cluster.psh(['config'])).code, 0);
    assert.match(await homeFile(cluster, '.pg_service.conf'), /\[shop\]/);
  });

  it('follows the audit log as an auditor', async () => {
    const child = spawn(process.execPath, [binary('postern'), 'audit', 'tail', '--last=0', '--type=user.'], {
      cwd: cluster.directory,
      env: cluster.env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let seen = '';
    child.stdout.on('data', (data) => (seen += String(data)));
    const first = once(child.stdout, 'data');
    // Whatever happens before the other end listens is not shown, so that it has to happen more than once.
    for (let tries = 0; tries < 20 && seen === ''; tries++)
      await Promise.race([first, cluster.psh(['login'], `${password}\n`)]);
    assert.match(seen, /user\.login +alice/);
    child.kill('SIGINT');
    await once(child, 'exit');
  });
});

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { needProgram } from '@postern/plugin-sdk/testing';
import { binary, build, run } from '../../config/test/support/programs.js';
import { testPassword } from '../support/cluster.js';
import { EveryNameIsHere } from './support/name-server.js';
import { passagesOf, Walkthrough, type WrittenCommand } from './support/walkthrough.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const plugin = join(root, 'docs/examples/outside/mqtt');
const document = readFileSync(join(root, 'docs/writing-a-plugin.md'), 'utf8');
const passages = passagesOf(document, 'From outside: MQTT in plain JavaScript');

interface Broker {
  readonly port: number;
  readonly close: () => Promise<void>;
}

describe('a plugin of somebody else, as docs/writing-a-plugin.md tells it', function () {
  this.timeout(600_000);
  let directory: string;
  let broker: Broker;
  let shell: Walkthrough;
  let names: EveryNameIsHere;
  /** What the document has in the place of what differs from run to run. */
  const actual = new Map<string, string>();

  before(async function () {
    for (const program of ['mosquitto', 'mosquitto_passwd']) needProgram(this, program, 'mosquitto');
    for (const program of ['mosquitto_pub', 'mosquitto_sub']) needProgram(this, program, 'mosquitto-clients');
    directory = await mkdtemp(join(tmpdir(), 'postern-outsider-'));
    await build();
    await pack();
    const { startMosquitto } = (await import(join(plugin, 'test/mosquitto.js'))) as {
      readonly startMosquitto: (password: string) => Promise<Broker>;
    };
    broker = await startMosquitto('a password of the broker');
    await writeFile(join(directory, 'broker-password'), 'a password of the broker', { mode: 0o600 });
    actual.set('1883', String(broker.port)).set('11883', String(await freePort()));
  });

  after(async () => {
    await (broker as Broker | undefined)?.close();
    if (directory) await rm(directory, { recursive: true, force: true });
  });

  /** Both packages as a registry would have them, in the directory that is otherwise empty. */
  async function pack(): Promise<void> {
    const options = { cwd: root, env: process.env };
    const steps = [
      ['run', 'build', '--workspace=plugin-sdk'],
      ['pack', '--ignore-scripts', `--pack-destination=${directory}`, './plugin-sdk', `./${plugin.slice(root.length)}`],
    ];
    for (const args of steps) {
      const { code, stderr } = await run('npm', args, options);
      assert.equal(code, 0, stderr);
    }
  }

  /** A home directory, and the two programs on the PATH. */
  async function environment(): Promise<NodeJS.ProcessEnv> {
    const bin = join(directory, '.bin');
    await mkdir(bin);
    for (const name of ['postern', 'psh'] as const) {
      await writeFile(join(bin, name), `#!/bin/sh\nexec '${process.execPath}' '${binary(name)}' "$@"\n`);
      await chmod(join(bin, name), 0o755);
    }
    const { POSTERN_HOME: _h, POSTERN_DATA: _d, POSTERN_CLUSTER: _c, ...env } = process.env;
    return {
      ...env,
      HOME: directory,
      PATH: `${bin}:${env['PATH']}`,
      NO_COLOR: '1',
      npm_config_prefer_offline: 'true',
      npm_config_cache: await npmCache(),
      npm_config_audit: 'false',
      npm_config_fund: 'false',
      npm_config_userconfig: await npmConfig(),
    };
  }

  const npmCache = async () =>
    (await run('npm', ['config', 'get', 'cache'], { cwd: root, env: process.env })).stdout.trim();
  const npmConfig = async () =>
    (await run('npm', ['config', 'get', 'userconfig'], { cwd: root, env: process.env })).stdout.trim();

  const replaced = (text: string): string =>
    text.replaceAll(/\b(?:11883|1883|localhost:3080|LINK|PIN|SESSION)\b/g, (word) => actual.get(word) ?? word);

  async function follow({ text, background, prints }: WrittenCommand): Promise<void> {
    const typed = replaced(text === 'postern start' ? 'postern start --listen=127.0.0.1:0' : text)
      // Names below the cluster's lead to it wherever it has a DNS record; here there is none.
      .replace(/(mosquitto_\w+) -h /, `$1 --proxy ${names.url} -h `);
    const expected = prints.map(({ source }) => new RegExp(replaced(source)));
    const output = await shell.run({ text: typed, background, prints: expected }, answers(text));
    learn('localhost:3080', /public port +\S+?(\d+)$/m.exec(output)?.[1], (port) => `127.0.0.1:${port}`);
    learn('PIN', /sha256:[0-9a-f]{64}/.exec(output)?.[0]);
    learn('LINK', /https:\/\/\S+\/invite\/[\w-]+/.exec(output)?.[0]);
    if (text === 'psh recordings ls') await learnSession();
  }

  function learn(word: string, value: string | undefined, shape = (text: string): string => text): void {
    if (value !== undefined && !actual.has(word)) actual.set(word, shape(value));
  }

  /** The first session, in which something was published. */
  async function learnSession(): Promise<void> {
    const json = await shell.run({ text: 'psh recordings ls --format=json', background: false, prints: [] });
    const sessions = (JSON.parse(json) as { readonly session: string }[]).map(({ session }) => session);
    actual.set('SESSION', sessions.at(-1) ?? '');
  }

  const answers = (text: string): string => {
    if (text.startsWith('psh accept')) return `${testPassword}\n${testPassword}\n\n`;
    return text.startsWith('psh login') ? `${testPassword}\n` : '';
  };

  it('is installed, enabled, used, refused, recorded and cut by these commands', async () => {
    await using typing = new Walkthrough(directory, await environment());
    shell = typing;
    await using everyName = await EveryNameIsHere.start();
    names = everyName;
    for (const passage of passages)
      if (passage.kind === 'file') await writeFile(join(directory, passage.name), replaced(passage.text));
      else for (const command of passage.commands) await follow(command);
    const [plant, office] = ['plant.mqtt.postern.localhost', 'office.mqtt.postern.localhost'];
    assert.deepEqual(names.names, [plant, plant, office, plant], 'and the native client asked for them by name');
  });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { isAbsolute, join, normalize } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { ClientModule, ClientProfile, ClientTarget, ConnectOptions, Invocation } from '../../client.js';
import { PosternError } from '../../errors.js';
import type { Plugin } from '../../plugin.js';
import type { AnyProtocol } from '../../protocol.js';
import type { Bench } from '../bench.js';
import type { Harness } from '../harness.js';
import { assure, type CheckGroup } from './check.js';

const canary = 'canary-5d41402abc4b2a76b9719d911017c592';

interface Stand {
  readonly client: ClientModule<AnyProtocol>;
  readonly profile: ClientProfile;
  readonly target: ClientTarget<AnyProtocol>;
  readonly options: ConnectOptions;
}

/** Gives the client half a profile with real files in it, whose keys must never come out again. */
async function withProfile(bench: Bench<AnyProtocol>, use: (stand: Stand) => void | Promise<void>): Promise<void> {
  const home = await mkdtemp(join(tmpdir(), 'postern-kit-'));
  try {
    const client = await bench.plugin.client?.();
    if (!client) return;
    const directory = join(home, '.postern', 'cluster.test');
    await mkdir(directory, { recursive: true });
    const profile = profileIn(home, directory);
    for (const file of Object.values(profile.files)) await writeFile(file, `${canary}\n`, { mode: 0o600 });
    await use({ client, profile, target: targetOf(bench), options: optionsOf(bench) });
    const files = await readdir(home, { recursive: true, withFileTypes: true });
    const known = new Set(Object.values(profile.files));
    for (const entry of files.filter((one) => one.isFile())) {
      const path = join(entry.parentPath, entry.name);
      assure(known.has(path), `the client half has written ${path}`);
      assure((await readFile(path, 'utf8')) === `${canary}\n`, `the client half has changed ${path}`);
    }
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

function profileIn(home: string, directory: string): ClientProfile {
  const file = (name: string): string => join(directory, name);
  return {
    cluster: 'cluster.test',
    user: 'alice',
    home,
    directory,
    proxy: { host: 'cluster.test', port: 443 },
    program: ['/usr/bin/program'],
    files: {
      certificate: file('alice.crt'),
      key: file('alice.key'),
      authority: file('ca.crt'),
      identity: file('alice.pem'),
      sshKey: file('alice'),
      sshCertificate: file('alice-cert.pub'),
      knownHosts: file('known_hosts'),
    },
    resolves: () => true,
  };
}

function targetOf(bench: Bench<AnyProtocol>): ClientTarget<AnyProtocol> {
  const { resource, identity } = bench.host();
  const { id } = bench.protocol;
  return {
    resource,
    hostname: `${resource.name}.${id}.cluster.test`,
    principals: identity?.principals[id] ?? ['alice'],
  };
}

const optionsOf = ({ harness }: Bench<AnyProtocol>): ConnectOptions => ({
  options: {},
  args: [],
  ...harness.connectOptions,
});

/** A program that can be run, and arguments that everybody may read. */
function assureInvocation(what: string, { program, args }: Invocation): void {
  assure(program.length > 0, `${what}: there is no program`);
  for (const argument of args) {
    assure(!argument.includes(canary), `${what}: a key is among the arguments`);
    assure(!argument.includes('\0'), `${what}: an argument contains a NUL`);
  }
}

function assureRelative(what: string, file: string): void {
  const escapes = isAbsolute(file) || normalize(file).startsWith('..');
  assure(!escapes, `${what} ${file} leaves its directory`);
}

function describes({ client, profile, target, options }: Stand): void {
  for (const resolves of [true, false]) {
    const where = Object.freeze({ ...profile, resolves: () => resolves });
    const setup = client.configure(where, Object.freeze([target]));
    assure(
      isDeepStrictEqual(setup, client.configure(where, [target])),
      'configure says something else the second time',
    );
    for (const name of Object.keys(setup.files ?? {})) assureRelative('the file', name);
    for (const { file, text } of setup.additions ?? []) {
      assureRelative('the addition to', file);
      assure(!text.includes(canary), `a key is in the addition to ${file}`);
    }
    const first = client.connect?.(where, target, options);
    if (!first) continue;
    assure(
      isDeepStrictEqual(first, client.connect?.(where, target, options)),
      'connect says something else the second time',
    );
    assureInvocation('connect', first);
    const passed = client.connect?.(where, target, { ...options, args: ['--native-option'] });
    assure(passed?.args.includes('--native-option'), 'connect does not pass on the arguments of the native client');
  }
  client.configure(profile, []);
}

async function assureCommands(plugin: Plugin, { client, profile }: Stand): Promise<void> {
  const implemented = Object.keys(client.commands ?? {}).sort();
  const listed = (plugin.commands ?? []).map(({ name }) => name).sort();
  assure(
    isDeepStrictEqual(implemented, listed),
    `commands ${listed.join(', ')} are listed, ${implemented.join(', ')} exist`,
  );
  for (const [name, command] of Object.entries(client.commands ?? {})) {
    try {
      const answer = await command(profile, []);
      if (!('print' in answer)) assureInvocation(name, answer);
    } catch (cause) {
      // It may insist on arguments, but only in words that are meant for people.
      assure(PosternError.is(cause), `${name} without arguments: ${String(cause)}`);
    }
  }
}

const hasClient = (_harness: Harness, plugin: Plugin): string | undefined =>
  plugin.client ? undefined : 'the plugin has no client half';

export const client: CheckGroup = {
  title: 'client',
  checks: [
    {
      name: 'describes the native client without effects, and no secret in its arguments',
      missing: hasClient,
      run: (bench) => withProfile(bench, describes),
    },
    {
      name: 'implements the commands that it lists, and no others',
      missing: hasClient,
      run: (bench) => withProfile(bench, (stand) => assureCommands(bench.plugin, stand)),
    },
  ],
};

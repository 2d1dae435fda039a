import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { standardPlugins } from '../../config/src/standard.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Protocols that Postern speaks or will speak: none of them may be named where all of them are served. */
const planned = [
  ...['ssh', 'kubernetes', 'postgres', 'postgresql', 'mysql', 'mongodb', 'redis', 'rdp'],
  ...['sshd', 'kubectl', 'k8s', 'psql', 'mariadb', 'mongo', 'mongosh', 'valkey', 'xfreerdp', 'mstsc', 'sftp', 'scp'],
  ...['kubelet', 'kubeconfig', 'pgbouncer', 'mysqld', 'mongod', 'xrdp', 'freerdp', 'rdesktop', 'ssh2'],
];

function sources(folder: string): string[] {
  return readdirSync(`${root}${folder}`, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => `${entry.parentPath}/${entry.name}`.slice(root.length));
}

describe('the kernel', () => {
  const ids = [...new Set([...planned, ...standardPlugins.map(({ protocol }) => protocol.id)])];
  const named = new RegExp(`\\b(${ids.join('|')})\\b`, 'i');

  /** Files that may name protocols, with the reason. */
  const exceptions: Readonly<Record<string, string>> = {
    'kernel/test/tunnels/native-hellos.test.ts': 'captures what real programs say in TLS',
  };

  /** The databases that a cluster can keep its state in, which it does not serve there. */
  const ofStorage = /^kernel\/(src|test)\/storage\/|^kernel\/src\/configuration\/storage\.ts$/;

  it('names no protocol, in code, in comments or in its tests', () => {
    const folders = ['kernel/src', 'kernel/test', 'plugin-sdk/src', 'plugin-sdk/test'];
    const files = folders.flatMap(sources).filter((file) => !(file in exceptions) && !ofStorage.test(file));
    const found = files.flatMap((file) => {
      const text = readFileSync(`${root}${file}`, 'utf8');
      const line = text.split('\n').findIndex((one) => named.test(withoutFormats(one)));
      return line < 0 ? [] : [`${file}:${line + 1}`];
    });
    assert.deepEqual(found, []);
  });
});

/**
 * `ssh-ed25519` and its like are the names of key formats, and `ssh-keygen` of
 * the program that shows them. `https://` and `'https:'` are the scheme of a
 * URL, in patterns too, and `node:https` a module: the word alone would be the protocol.
 */
const withoutFormats = (line: string): string =>
  line.replaceAll(
    /\bssh-(ed25519|rsa|dss|keygen)\b|\bhttps:\\?\/\\?\/|\bhttps\?:|'https:'|'node:https'|\bimport https\b|\bhttps\.(?=\w+\()/g,
    '',
  );

describe('every plugin', () => {
  const standard = ['index.ts', 'protocol.ts', 'session.ts', 'upstream.ts', 'wire.ts', 'probe.ts', 'client.ts'];
  /** Their codec of HTTP is that of the SDK. */
  const speakHttp = ['kubernetes'];
  for (const { protocol } of standardPlugins) {
    it(`${protocol.id} has the standard files and a README`, () => {
      const files = readdirSync(`${root}plugins/${protocol.id}/src`);
      assert.deepEqual(
        standard.filter((name) => !files.includes(name) && !(name === 'wire.ts' && speakHttp.includes(protocol.id))),
        [],
      );
      assert.ok(readFileSync(`${root}plugins/${protocol.id}/README.md`, 'utf8').length > 500);
    });
  }
});

describe('files', () => {
  it('have a median below 130 lines', () => {
    const lengths = ['kernel/src', 'plugin-sdk/src', 'plugins', 'config/src']
      .flatMap(sources)
      .filter((file) => !file.includes('/test/') && !file.includes('node_modules'))
      .map((file) => readFileSync(`${root}${file}`, 'utf8').split('\n').length)
      .sort((a, b) => a - b);
    const median = lengths[Math.floor(lengths.length / 2)] ?? 0;
    assert.ok(median < 130, `the median is ${median}`);
  });
});

import { createPrivateKey, sign } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Duplex } from 'node:stream';
import ssh2, { type ClientChannel, type ParsedKey } from 'ssh2';
import type { OpenSshCredential } from '@postern/plugin-sdk';
import { CanaryClient } from '../../src/canary-client.js';
import { WireWriter } from '../../src/wire.js';

const parse = (text: string): ParsedKey => {
  const key = ssh2.utils.parseKey(text);
  if (key instanceof Error) throw key;
  return key;
};

const blobOf = (line: string): Buffer => Buffer.from(line.split(' ')[1] ?? '', 'base64');

export interface ScriptedLogin {
  readonly login: string;
  /** The path of the user's key, with its certificate beside it. */
  readonly key: string;
  readonly host: Pick<OpenSshCredential, 'certificate' | 'key'>;
  readonly onMessage?: (payload: Buffer) => void;
}

/** A client in this process that logs in with a certificate, for what the stock client cannot be made to do. */
export function scriptedClient(stream: Duplex, { login, key, host, onMessage }: ScriptedLogin): CanaryClient {
  const privateKey = createPrivateKey(parse(readFileSync(key, 'utf8')).getPrivatePEM());
  return CanaryClient.connect(stream, {
    login,
    key: {
      sign: (data) =>
        new WireWriter()
          .string('ssh-ed25519')
          .string(sign(null, data, privateKey))
          .end(),
    },
    certificate: blobOf(readFileSync(`${key}-cert.pub`, 'utf8')),
    hostCertificate: blobOf(host.certificate),
    hostKey: parse(host.key).getPublicSSH(),
    onMessage: (payload) => onMessage?.(payload),
  });
}

/** Resolves once it is in; rejects when the connection ends before that. */
export async function loggedIn({ client }: CanaryClient): Promise<void> {
  const gone = new AbortController();
  client.once('close', () => gone.abort());
  await once(client, 'ready', { signal: gone.signal });
}

export interface Answer {
  readonly stdout: string;
  readonly stderr: string;
  readonly status: number | null;
}

/** Reads a channel to its end. */
export function answerOf(channel: ClientChannel): Promise<Answer> {
  let [stdout, stderr] = ['', ''];
  channel.on('data', (data: Buffer) => (stdout += data.toString()));
  channel.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
  return new Promise((resolve) => channel.on('close', (status: number | null) => resolve({ stdout, stderr, status })));
}

/** A stream in memory, as a network would deliver it: later. ssh2's parser must not be entered while it runs. */
export function delivering(stream: Duplex): Duplex {
  const outer = new Duplex({
    read: () => void stream.resume(),
    write: (data: Buffer, _, done) => void setImmediate(() => stream.write(data, () => done())),
    final: (done) => void setImmediate(() => stream.end(() => done())),
    destroy: (cause, done) => {
      stream.end();
      done(cause);
    },
  });
  stream.on('data', (data: Buffer) => setImmediate(() => outer.push(data) || stream.pause()));
  stream.once('end', () => setImmediate(() => outer.push(null)));
  stream.once('close', () => setImmediate(() => outer.destroy()));
  return outer.on('error', () => {});
}

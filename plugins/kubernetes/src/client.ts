import { readFile } from 'node:fs/promises';
import { X509Certificate } from 'node:crypto';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { PosternError, type ClientModule, type ClientProfile, type ClientTarget } from '@postern/plugin-sdk';
import { execApi, kubeconfig } from './kubeconfig.js';
import type { Kubernetes } from './protocol.js';

/** Below the profile directory: one file for each cluster, and one with all of them. */
const allFile = 'kubeconfig';
const fileOf = (name: string): string => join('kube', `${encodeURIComponent(name)}.yaml`);

const pathOf = (profile: ClientProfile, { resource }: ClientTarget<Kubernetes>): string =>
  join(profile.directory, fileOf(resource.name));

/**
 * The user's own kubeconfig comes behind ours: kubectl takes the first context
 * that is current, and every context of all files. It is YAML, into which
 * nobody but kubectl itself should write.
 */
function configurationPath(profile: ClientProfile, target: ClientTarget<Kubernetes>): string {
  const before = process.env['KUBECONFIG'] ?? join(homedir(), '.kube', 'config');
  const own = before.split(delimiter).filter((path) => path !== '' && !path.startsWith(profile.directory));
  return [pathOf(profile, target), join(profile.directory, allFile), ...own].join(delimiter);
}

/** The object that kubectl reads from an exec plugin, in the version that it asked for. */
async function credentials({ files }: ClientProfile): Promise<{ print: string }> {
  const [certificate, key] = await Promise.all([files.certificate, files.key].map((path) => readFile(path, 'utf8')));
  if (certificate === undefined || key === undefined) throw new PosternError('internal', 'there is no certificate');
  const object = {
    apiVersion: askedVersion(process.env['KUBERNETES_EXEC_INFO']),
    kind: 'ExecCredential',
    status: {
      expirationTimestamp: expiryOf(certificate),
      clientCertificateData: certificate,
      clientKeyData: key,
    },
  };
  return { print: `${JSON.stringify(object)}\n` };
}

function expiryOf(certificate: string): string {
  try {
    return new Date(new X509Certificate(certificate).validTo).toISOString();
  } catch (cause) {
    throw PosternError.public('invalid_config', 'your certificate cannot be read; log in again: psh login', cause);
  }
}

function askedVersion(info: string | undefined): string {
  const found = /"apiVersion":\s*"(client\.authentication\.k8s\.io\/v1(?:beta1)?)"/.exec(info ?? '');
  return found?.[1] ?? execApi;
}

export const kubernetesClient: ClientModule<Kubernetes> = {
  configure(profile, targets) {
    const files: Record<string, string> = {};
    for (const target of targets) files[fileOf(target.resource.name)] = kubeconfig(profile, [target], target);
    if (targets.length > 0) files[allFile] = kubeconfig(profile, targets);
    return { files };
  },
  connect: (profile, target, { args, user }) => ({
    program: 'kubectl',
    args: [`--kubeconfig=${pathOf(profile, target)}`, ...(user === undefined ? [] : [`--as=${user}`]), ...args],
  }),
  env: (profile, target) => ({ KUBECONFIG: configurationPath(profile, target) }),
  commands: { credentials: (profile) => credentials(profile) },
};

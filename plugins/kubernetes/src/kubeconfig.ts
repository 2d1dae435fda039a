import { isIP } from 'node:net';
import type { ClientProfile, ClientTarget } from '@postern/plugin-sdk';
import type { Kubernetes } from './protocol.js';

/** The version of the exec plugin's object that every kubectl since 1.20 knows; `v1` came with 1.22. */
export const execApi = 'client.authentication.k8s.io/v1beta1';

/** A text in double quotes: JSON's is YAML's as well. */
const quoted = (text: string): string => JSON.stringify(text);

/** How a context, its cluster and its user are called: apart from what else a user may have. */
const contextName = (profile: ClientProfile, { resource }: ClientTarget<Kubernetes>): string =>
  `${resource.name}.${profile.cluster}`;

function serverOf({ proxy }: ClientProfile): string {
  return `https://${isIP(proxy.host) === 6 ? `[${proxy.host}]` : proxy.host}:${proxy.port}`;
}

function clusterEntry(profile: ClientProfile, target: ClientTarget<Kubernetes>): readonly string[] {
  return [
    `- name: ${quoted(contextName(profile, target))}`,
    '  cluster:',
    `    server: ${quoted(serverOf(profile))}`,
    `    tls-server-name: ${quoted(target.hostname)}`,
    `    certificate-authority: ${quoted(profile.files.authority)}`,
  ];
}

function contextEntry(profile: ClientProfile, target: ClientTarget<Kubernetes>): readonly string[] {
  const name = quoted(contextName(profile, target));
  return [`- name: ${name}`, '  context:', `    cluster: ${name}`, `    user: ${quoted(userName(profile))}`];
}

const userName = ({ user, cluster }: ClientProfile): string => `${user}.${cluster}`;

/** The certificate is asked for anew each time, so that one that has expired is explained and not just refused. */
function userEntry(profile: ClientProfile): readonly string[] {
  const [command = 'psh', ...args] = profile.program;
  return [
    `- name: ${quoted(userName(profile))}`,
    '  user:',
    '    exec:',
    `      apiVersion: ${execApi}`,
    `      command: ${quoted(command)}`,
    '      args:',
    ...[...args, 'kube', 'credentials'].map((argument) => `      - ${quoted(argument)}`),
    '      env:',
    '      - name: POSTERN_CLUSTER',
    `        value: ${quoted(profile.cluster)}`,
    '      interactiveMode: Never',
    '      provideClusterInfo: false',
  ];
}

/** A kubeconfig file with a context for each target. With `current`, kubectl uses that one unless it is told otherwise. */
export function kubeconfig(
  profile: ClientProfile,
  targets: readonly ClientTarget<Kubernetes>[],
  current?: ClientTarget<Kubernetes>,
): string {
  return [
    'apiVersion: v1',
    'kind: Config',
    'clusters:',
    ...targets.flatMap((target) => clusterEntry(profile, target)),
    'contexts:',
    ...targets.flatMap((target) => contextEntry(profile, target)),
    ...(current ? [`current-context: ${quoted(contextName(profile, current))}`] : []),
    'users:',
    ...userEntry(profile),
    '',
  ].join('\n');
}

import type { KubernetesServer } from '../../support/kubernetes-server.js';

/** What the cluster itself allows: the agent to impersonate, and the group developers to edit. Makes the namespaces `shop` and `vault`. */
export async function allowDevelopers(server: KubernetesServer): Promise<void> {
  const role = (name: string, rules: unknown) => ({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name },
    rules,
  });
  const binding = (name: string, to: string, subject: unknown) => ({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: to },
    subjects: [subject],
  });
  const namespace = (name: string) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  const impersonate = { apiGroups: [''], resources: ['users', 'groups'], verbs: ['impersonate'] };
  const items = [
    role('postern-impersonator', [impersonate]),
    binding('postern-agent', 'postern-impersonator', { kind: 'User', name: 'system:serviceaccount:postern:agent' }),
    role('developer', [{ apiGroups: ['', 'apps'], resources: ['*'], verbs: ['*'] }]),
    binding('developers', 'developer', { kind: 'Group', name: 'developers' }),
    namespace('shop'),
    namespace('vault'),
  ];
  const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
  const { status, stderr } = await server.kubectl(['apply', '-f', '-'], list);
  if (status !== 0) throw new Error(`the cluster could not be set up: ${stderr}`);
}

import assert from 'node:assert/strict';
import type { ClientProfile, ClientTarget } from '@postern/plugin-sdk';
import { kubernetesClient } from '../src/client.js';
import { kubernetes, type Kubernetes } from '../src/protocol.js';

const directory = '/home/alice/.psh/access.example.com';
const profile: ClientProfile = {
  cluster: 'access.example.com',
  user: 'alice',
  home: '/home/alice',
  directory,
  proxy: { host: '2001:db8::1', port: 443 },
  program: ['/usr/bin/node', '/opt/psh.js'],
  files: {
    certificate: `${directory}/tls.crt`,
    key: `${directory}/tls.key`,
    authority: `${directory}/authority.pem`,
    identity: '/x',
    sshKey: '/x',
    sshCertificate: '/x',
    knownHosts: '/x',
  },
  resolves: () => false,
};

const target = (name: string): ClientTarget<Kubernetes> => ({
  resource: { name, labels: {}, spec: kubernetes.auth.resource.parse({}) },
  hostname: `${name}.kubernetes.access.example.com`,
  principals: [],
});

describe('what login writes for kubectl', () => {
  const files = kubernetesClient.configure(profile, [target('prod'), target('test')]).files ?? {};

  it('is a kubeconfig with all clusters, and one for each in which it is current', () => {
    assert.deepEqual(Object.keys(files).sort(), ['kube/prod.yaml', 'kube/test.yaml', 'kubeconfig']);
    assert.match(files['kube/prod.yaml'] ?? '', /^current-context: "prod\.access\.example\.com"$/m);
    assert.doesNotMatch(files['kubeconfig'] ?? '', /current-context/);
  });

  it('routes by name, and asks psh for the certificate', () => {
    const text = files['kube/prod.yaml'] ?? '';
    assert.match(text, /^ {4}server: "https:\/\/\[2001:db8::1\]:443"$/m);
    assert.match(text, /^ {4}tls-server-name: "prod\.kubernetes\.access\.example\.com"$/m);
    assert.match(
      text,
      /command: "\/usr\/bin\/node"\n {6}args:\n {6}- "\/opt\/psh\.js"\n {6}- "kube"\n {6}- "credentials"$/m,
    );
    assert.doesNotMatch(text, /token|PRIVATE/);
  });

  it('a name cannot bring lines or folders of its own', () => {
    const [[path = '', text = ''] = []] = Object.entries(
      kubernetesClient.configure(profile, [target('../x\n- name: y')]).files ?? {},
    );
    assert.doesNotMatch(path, /\.\.\/|\n/);
    assert.doesNotMatch(text, /^- name: y/m);
  });

  it('is nothing where there is no cluster', () => {
    assert.deepEqual(kubernetesClient.configure(profile, []).files, {});
  });
});

describe('kubectl', () => {
  it('is run with the file of its cluster', () => {
    assert.deepEqual(
      kubernetesClient.connect?.(profile, target('prod'), { user: 'ops', options: {}, args: ['get', 'pods'] }),
      {
        program: 'kubectl',
        args: [`--kubeconfig=${directory}/kube/prod.yaml`, '--as=ops', 'get', 'pods'],
      },
    );
  });

  it('finds our files before the user’s own', () => {
    const before = process.env['KUBECONFIG'];
    process.env['KUBECONFIG'] = `/home/alice/own:${directory}/kubeconfig`;
    try {
      const { KUBECONFIG } = kubernetesClient.env?.(profile, target('prod'), { options: {}, args: [] }) ?? {};
      assert.equal(KUBECONFIG, `${directory}/kube/prod.yaml:${directory}/kubeconfig:/home/alice/own`);
    } finally {
      if (before === undefined) delete process.env['KUBECONFIG'];
      else process.env['KUBECONFIG'] = before;
    }
  });
});

import { PosternError, type ClientModule, type ClientProfile, type ClientTarget } from '@postern/plugin-sdk';
import { ssh, type Ssh } from './protocol.js';
import { commandArgument, configBlock, configPath, hostLinePattern, isPlainName } from './ssh-config.js';

const configFile = 'ssh_config';
const includeFile = 'ssh_include';

/** Unix sockets have 104 bytes; ssh adds 17 while it makes one, and `%C` is 40 long. */
const longestControlDirectory = 104 - 17 - 1 - '/cm-'.length - 40;

/**
 * Two files: `ssh_include` leads every name of the cluster's nodes through the
 * proxy, and the user's own `~/.ssh/config` includes it, so that plain `ssh`,
 * `scp`, `rsync` and git work. `ssh_config` has the short names too, for
 * `psh ssh`. In the user's file a short name is left out where the user has a
 * host of that name.
 */
export const configure: ClientModule<Ssh>['configure'] = (profile, targets) => {
  const everyNode = nodesBlock(profile);
  const named = targets.filter(({ resource }) => isPlainName(resource.name));
  const header = '# Written by psh login; changes are lost.\n';
  const include = `Include ${configPath(`${profile.directory}/${includeFile}`)}\n`;
  return {
    files: {
      [configFile]: [header, ...named.map(nodeBlock), everyNode].join('\n'),
      [includeFile]: [header, everyNode].join('\n'),
    },
    additions: [
      {
        file: '.ssh/config',
        comment: '#',
        place: 'top',
        text: include,
        sections: named.map((target) => ({
          name: target.resource.name,
          pattern: hostLinePattern(target.resource.name),
          // The include sees the full name here, wherever the first one stands. What follows in the user's file
          // must not come to belong to this host.
          text: `${nodeBlock(target)}    ${include}Match all\n`,
        })),
      },
    ],
  };
};

export const connect: NonNullable<ClientModule<Ssh>['connect']> = (profile, target, { user, args }) => ({
  program: 'ssh',
  args: [...withConfig(profile), ...(user === undefined ? [] : ['-l', user]), target.hostname, ...args],
});

export const commands: NonNullable<ClientModule<Ssh>['commands']> = {
  ssh: (profile, args) => ({ program: 'ssh', args: [...withConfig(profile), ...args] }),
  scp: (profile, args) => ({ program: 'scp', args: [...withConfig(profile), ...args] }),
};

const withConfig = ({ directory }: ClientProfile): readonly string[] => ['-F', `${directory}/${configFile}`];

/** The short name of one node, and the login where there is no choice. */
function nodeBlock({ resource, hostname, principals }: ClientTarget<Ssh>): string {
  const [only] = principals.length === 1 ? principals : [];
  const user = only !== undefined && /^[A-Za-z_][A-Za-z0-9_.@-]*$/.test(only) ? [['User', only] as const] : [];
  return configBlock(`Host ${resource.name} ${hostname}`, [['HostName', hostname], ...user]);
}

/**
 * Every node of the cluster, by its full name. The name goes through a shell
 * in quotes; one that could leave them, or be taken for an option, is not
 * matched at all (older versions of ssh take any name).
 */
function nodesBlock(profile: ClientProfile): string {
  if (!/^[a-z0-9.-]+$/.test(profile.cluster))
    throw PosternError.public('invalid_argument', `${JSON.stringify(profile.cluster)} is not the name of a cluster`);
  const { files } = profile;
  const program = [...profile.program, 'proxy', ssh.id].map(commandArgument).join(' ');
  return configBlock(`Match host "*.${ssh.id}.${profile.cluster},!*'*,!-*"`, [
    ['IdentityFile', configPath(files.sshKey)],
    ['CertificateFile', configPath(files.sshCertificate)],
    ['IdentitiesOnly', 'yes'],
    ['UserKnownHostsFile', configPath(files.knownHosts)],
    ['StrictHostKeyChecking', 'yes'],
    ['ProxyCommand', `${program} '%h' --stdio --hand-over`],
    // The program gives the connection to ssh and ends, so that no byte goes through it.
    ['ProxyUseFdpass', 'yes'],
    ['ControlMaster', 'auto'],
    ['ControlPath', controlPath(profile)],
    ['ControlPersist', '60s'],
  ]);
}

const controlPath = ({ directory }: ClientProfile): string =>
  Buffer.byteLength(directory) <= longestControlDirectory
    ? configPath(directory).replace(/"$/, '/cm-%C"')
    : '~/.ssh/psh-%C';

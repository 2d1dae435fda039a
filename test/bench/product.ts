import { userInfo } from 'node:os';
import { join } from 'node:path';
import { build, TestCluster } from '../../config/test/support/programs.js';

const password = 'correct horse battery staple';

/** The built programs as an operator runs them: one process of `postern start`, and a user who has logged in. */
export class Product implements AsyncDisposable {
  readonly login = userInfo().username;

  private constructor(readonly cluster: TestCluster) {}

  /** With the text of a `postern.yaml` what that says, and a user whom the given `allow` of a role lets in. */
  static async start(configuration?: string, allow?: Readonly<Record<string, unknown>>): Promise<Product> {
    await build();
    const product = new Product(await TestCluster.start(configuration));
    if (allow) await product.#create({ kind: 'role', name: 'bench', allow });
    const traits = [`--trait=logins=${product.login}`, '--trait=db_users=trusted', '--trait=db_names=bench'];
    if (allow) traits.push('--role=bench');
    await product.cluster.user('alice', password, traits);
    return product;
  }

  get pids(): readonly number[] {
    return [this.cluster.pid];
  }

  /** What native programs need, to read what `psh login` wrote. */
  get env(): Readonly<Record<string, string>> {
    return { HOME: this.cluster.home, PGSERVICEFILE: join(this.cluster.home, '.pg_service.conf') };
  }

  get sshConfig(): string {
    return join(this.cluster.home, '.ssh/config');
  }

  /** Registers what is behind the agent. */
  register(kind: string, name: string, spec: Readonly<Record<string, unknown>>): Promise<void> {
    return this.#create({ kind, name, labels: { env: 'bench' }, spec });
  }

  async #create(document: Readonly<Record<string, unknown>>): Promise<void> {
    const { code, stderr } = await this.cluster.postern(['create', '-f', '-'], JSON.stringify(document));
    if (code !== 0) throw new Error(`not created: ${stderr}`);
  }

  async logIn(): Promise<void> {
    const { code, stderr } = await this.cluster.login('alice', [password]);
    if (code !== 0) throw new Error(`no login: ${stderr}`);
  }

  /** The name of this machine among the cluster's nodes. */
  async node(): Promise<string> {
    const { stdout } = await this.cluster.psh(['ls', 'ssh', '--format=json']);
    const name = (JSON.parse(stdout) as { readonly name: string }[])[0]?.name;
    if (name === undefined) throw new Error('this cluster has no node');
    return name;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.cluster[Symbol.asyncDispose]();
  }
}

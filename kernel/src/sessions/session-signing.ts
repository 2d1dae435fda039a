/** What an agent shows for a signature on behalf of a session: the Auth Service believes nothing else. */
export interface SessionProof {
  readonly session: string;
  readonly resource: { readonly kind: string; readonly name: string };
  /** The opening ask, which is decided once more. */
  readonly ask: unknown;
  /** The user's certificate as the client presented it. */
  readonly certificate:
    { readonly kind: 'x509'; readonly pem: string } | { readonly kind: 'openssh'; readonly blob: Buffer };
  readonly source: string;
}

/**
 * The signatures that an agent can obtain. The Auth Service decides every one
 * of them anew and audits it; private keys stay with the agent, which sends
 * public halves only.
 */
export interface SessionSigning {
  /** A TLS server certificate for the name of a resource that this agent serves. PEM. */
  server(resource: { readonly kind: string; readonly name: string }, publicKey: string): Promise<string>;
  /** An OpenSSH host certificate for such a name. One line. */
  openSshHost(resource: { readonly kind: string; readonly name: string }, publicKey: string): Promise<string>;
  /** A client certificate by which a session's user becomes `name` on the resource. PEM. */
  databaseClient(proof: SessionProof, name: string, publicKey: string): Promise<string>;
  /** An OpenSSH user certificate for a login on a server that runs no agent. One line. */
  openSshLogin(proof: SessionProof, login: string, publicKey: string): Promise<string>;
  /** A JSON Web Token about the session's user for an audience. */
  assertion(proof: SessionProof, audience: string): Promise<string>;
}

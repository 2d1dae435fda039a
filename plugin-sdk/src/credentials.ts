/** PEM texts for one TLS client: a chain, its private key, and the authority that the other side must show. */
export interface TlsCredential {
  readonly certificate: string;
  readonly key: string;
  readonly authority: string;
}

/** An OpenSSH certificate line and its private key in the `openssh-key-v1` format. */
export interface OpenSshCredential {
  readonly certificate: string;
  readonly key: string;
}

/**
 * What a session may present to its resource. Each call is decided and audited
 * by the Auth Service for this session's user and resource; an agent cannot
 * obtain a name for a resource that it does not serve.
 */
export interface Credentials {
  /** A client certificate whose subject common name is `name`; `authority` is the resource's CA bundle. */
  tls(name: string): Promise<TlsCredential>;
  /** A user certificate for `login` that OpenSSH's own server trusts. */
  openSsh(login: string): Promise<OpenSshCredential>;
  /** An entry of the agent's own `secrets` section, by the name that the resource document gives. */
  secret(name: string): Promise<string>;
  /** A signed statement (JWT) about the user for an application. */
  assertion(audience: string): Promise<string>;
}

/** What the agent presents to a client of a `native` transport. */
export interface ServerCredentials {
  /** A host key with a certificate for the resource's full DNS name. */
  openSsh(): Promise<OpenSshCredential>;
}

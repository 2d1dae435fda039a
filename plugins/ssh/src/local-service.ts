/** Something on the node that leads to the client, for as long as its channel lives. */
export interface LocalService {
  /** What programs must have in their environment to find it. */
  readonly env: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

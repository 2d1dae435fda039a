/** Thrown inside the guard for what no honest client does; it ends the connection. */
export class Abuse extends Error {
  override readonly name = 'Abuse';
}

import { PosternError } from '@postern/plugin-sdk';
import { RateLimit } from '../tunnels/rate-limit.js';
import { limitKey } from '../tunnels/source-address.js';
import type { Authenticated, Proof } from './authenticator.js';
import type { Enrolment, Enrolments } from './enrolments.js';
import type { Report } from './report.js';
import { verifyTotp } from './totp.js';
import { deviceId, type Device, type User } from './user.js';
import type { Changed, Changing, UserStore } from './user-store.js';

export interface SecondFactorsOptions {
  readonly store: UserStore;
  readonly enrolments: Enrolments;
  /** Checks all that a login checks, a code of an earlier device and locks included, and rejects as it does. */
  readonly prove: (proof: Proof, source: string) => Promise<Authenticated>;
  /** Whether the user's roles demand a second factor. */
  readonly demanded: (user: User) => boolean;
  readonly report: Report;
  readonly now: () => Date;
}

/** A device of a user, without its seed. */
export type KnownDevice = Pick<Device, 'name' | 'added'>;

const maxDevices = 8;
const confirmationsPerMinute = 30;

/**
 * The devices that show a user's codes, managed by the user alone. Whoever could
 * log in may add and remove them, and nobody else: a certificate is not enough.
 * Every change is recorded before it is made.
 */
export class SecondFactors {
  readonly #confirmations: RateLimit;

  constructor(private readonly options: SecondFactorsOptions) {
    this.#confirmations = new RateLimit(confirmationsPerMinute, 60_000, options.now);
  }

  async list(user: string): Promise<readonly KnownDevice[]> {
    const devices = (await this.options.store.secrets(user))?.devices ?? [];
    return devices.map(({ name, added }) => ({ name, ...(added !== undefined && { added }) }));
  }

  /**
   * Offers a seed for a new device, which counts once a code of it was shown.
   * Rejects with `already_exists` for a name in use, `limit_exceeded` where there
   * are eight devices.
   */
  async begin(proof: Proof & { readonly device: string }, source: string): Promise<Enrolment> {
    const { user } = await this.options.prove(proof, source);
    mayAdd(await this.list(user.name), proof.device);
    return this.options.enrolments.begin(user, proof.device);
  }

  /** Adds the device that was begun. Rejects with `invalid_argument` for a wrong code, five of which end it. */
  async confirm(
    { user: name, token, code }: { readonly user: string; readonly token: string; readonly code: string },
    source: string,
  ): Promise<string> {
    const { enrolments, now, report, store } = this.options;
    if (!this.#confirmations.take(limitKey(source)))
      throw PosternError.public('rate_limited', 'too many codes: wait a minute and try again');
    const { secret, device, generation } = await enrolments.get(name, token);
    const lastStep = verifyTotp(secret, code, now());
    if (lastStep === undefined) throw wrongCode(await enrolments.countWrong(name, token));
    mayAdd(await this.list(name), device);
    await report('user.mfa_added', { user: name, source, fields: { name, device: deviceId(name, device) } });
    const add = ({ user, secrets }: Changing): Changed => {
      // A reset took the password away meanwhile, and all that rested on it.
      if (!secrets) throw PosternError.public('not_found', `${name} has no password any more`);
      // Nor is it another user's who has the name now, or chose a password of his own by a link.
      if (user.generation !== generation)
        throw PosternError.public('not_found', `${name} was changed meanwhile: start anew with psh mfa add`);
      mayAdd(secrets.devices, device);
      const devices = [...secrets.devices, { name: device, secret, lastStep, added: now().toISOString() }];
      return { user: { ...user, totp: true }, secrets: { ...secrets, devices } };
    };
    await store.change(name, add, () => enrolments.use(name, token));
    return device;
  }

  /**
   * Removes a device; certificates that were issued before stop working, since
   * one of them may rest on it. Rejects with `not_found`, and with `conflict`
   * for the last one where the roles demand one.
   */
  async remove(proof: Proof & { readonly device: string }, source: string): Promise<void> {
    const { prove, report, store } = this.options;
    const { device } = proof;
    const { user } = await prove(proof, source);
    const { name } = user;
    this.#mayRemove(user, await this.list(name), device);
    await report('user.mfa_removed', { user: name, source, fields: { name, device: deviceId(name, device) } });
    await store.change(name, (before) => {
      const { secrets } = before;
      const devices = secrets?.devices ?? [];
      this.#mayRemove(before.user, devices, device);
      const left = devices.filter((one) => one.name !== device);
      const after = { ...before.user, totp: left.length > 0, generation: before.user.generation + 1 };
      return { user: after, secrets: secrets && { ...secrets, devices: left } };
    });
  }

  #mayRemove(user: User, devices: readonly KnownDevice[], device: string): void {
    if (!devices.some(({ name }) => name === device))
      throw PosternError.public('not_found', `you have no device ${device}; see: psh mfa ls`);
    if (devices.length > 1 || !this.options.demanded(user)) return;
    throw PosternError.public(
      'conflict',
      `your roles demand a second factor, and ${device} is the last one: add another first: psh mfa add`,
    );
  }
}

function mayAdd(devices: readonly KnownDevice[], device: string): void {
  if (devices.some(({ name }) => name === device))
    throw PosternError.public('already_exists', `you have a device ${device} already: choose another name`);
  if (devices.length >= maxDevices)
    throw PosternError.public('limit_exceeded', `you have ${maxDevices} devices, and more are not allowed`);
}

const wrongCode = (left: number): PosternError =>
  left > 0
    ? PosternError.public('invalid_argument', 'the code is wrong; is the clock of the device right?')
    : PosternError.public('not_found', 'the code is wrong again: start anew with psh mfa add');

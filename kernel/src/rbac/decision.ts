import type { Denial } from '@postern/plugin-sdk';
import type { Labels } from './labels.js';
import type { EffectiveOptions } from './options.js';
import type { Verb } from './role.js';

/** What a reason is about. */
export type ReasonPart =
  'lock' | 'user' | 'certificate' | 'address' | 'mfa' | 'role' | 'protocol' | 'labels' | 'access' | 'rules' | 'error';

/**
 * One reason of a decision, as data. `deny` speaks against by itself. `allow`
 * is what allows, where the decision is yes; where it is no, it is what one
 * entry of one role would have needed to allow.
 */
export interface Reason {
  readonly clause: 'allow' | 'deny';
  readonly part: ReasonPart;
  /** The role that it comes from, where it comes from one. */
  readonly role?: string;
  /** The entry in the role's document, such as `allow.web[1]`. */
  readonly entry?: string;
  /** A sentence for administrators, in lower case and without a full stop. */
  readonly detail: string;
  /** The label keys whose conditions the resource does not meet. */
  readonly unmet?: readonly string[];
}

/** What was decided about: a resource of some protocol, or an object of the API. */
export interface Question {
  readonly user: string;
  /** The roles that the certificate carries, in order of their names. */
  readonly roles: readonly string[];
  readonly kind: string;
  readonly name?: string;
  /** The resource's labels. */
  readonly labels?: Labels;
  /** What was asked of the resource; absent where the question was whether it may be seen at all. */
  readonly ask?: unknown;
  /** What was asked of the API. */
  readonly verb?: Verb;
}

export interface Allowed {
  readonly allowed: true;
  readonly question: Question;
  readonly options: EffectiveOptions;
  /** Whom the user may become, by the entries that allow this; a name may contain `*`. */
  readonly principals: readonly string[];
  /** Whom the user may not become, though a `*` among the principals covers it; a name may contain `*`. */
  readonly excluded: readonly string[];
  readonly because: readonly Reason[];
}

export interface Denied {
  readonly allowed: false;
  readonly question: Question;
  readonly code: Denial['code'];
  /** A sentence for the user where the reason is the user's to know, as in an expired certificate. */
  readonly remedy?: string;
  readonly because: readonly Reason[];
}

export type Decision = Allowed | Denied;

/** The answer where a decision could not be made: an error denies. */
export const failedDecision = (question: Question, detail: string): Denied => ({
  allowed: false,
  question,
  code: 'internal',
  because: [{ clause: 'deny', part: 'error', detail: `the decision failed: ${detail}` }],
});

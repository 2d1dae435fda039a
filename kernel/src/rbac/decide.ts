import type { AnyProtocol } from '@postern/plugin-sdk';
import { failedDecision, type Decision, type Question, type Reason } from './decision.js';
import { enter } from './gate.js';
import type { Labels } from './labels.js';
import { carriedRoles, type Subject } from './subject.js';
import { shortfalls, weigh, type Case } from './weigh.js';

/** A registered resource, as far as a decision is concerned. `kind` is the id of its protocol. */
export interface Target {
  readonly kind: string;
  readonly name: string;
  readonly labels: Labels;
}

/** One question: may this subject do this at this resource? */
export interface AccessRequest {
  readonly subject: Subject;
  readonly resource: Target;
  readonly protocol: AnyProtocol;
  /** As `protocol.auth.ask` returns it. */
  readonly ask: unknown;
}

/**
 * Decides one ask. Pure and total: it reads no clock and no store, never
 * throws, and an error in anything that it calls is a no. Nothing is allowed
 * that no role of the certificate allows; one role that denies outweighs all
 * that allow; the order of roles has no influence.
 */
export function decide({ subject, resource, protocol, ask }: AccessRequest): Decision {
  return decideCase(subject, resource, {
    question: { ask },
    protocol,
    permits: (access) => protocol.auth.permits(access, ask),
    forbids: (access) => protocol.auth.forbids(access, ask),
  });
}

/**
 * Decides whether the subject may know of a resource: some entry is about it
 * and allows something, and nothing denies all of it. What can be asked there
 * is another question; `principals` says whom the subject may become.
 */
export function decideVisible({ subject, resource, protocol }: Omit<AccessRequest, 'ask'>): Decision {
  return decideCase(subject, resource, { question: {}, protocol, permits: () => true, forbids: () => false });
}

interface Judgement extends Pick<Case, 'protocol' | 'permits' | 'forbids'> {
  readonly question: { readonly ask?: unknown };
}

function decideCase(subject: Subject, resource: Target, judgement: Judgement): Decision {
  try {
    return decideOrThrow(subject, resource, judgement);
  } catch (cause) {
    return failedDecision({ user: '', roles: [], kind: '' }, cause instanceof Error ? cause.message : 'it threw');
  }
}

function decideOrThrow(subject: Subject, resource: Target, { question: asked, ...judgement }: Judgement): Decision {
  const { identity } = subject;
  const { kind, name, labels } = resource;
  const question: Question = { user: identity.user, roles: carriedRoles(identity), kind, name, labels, ...asked };
  if (judgement.protocol.id !== kind)
    return failedDecision(question, `a resource of kind ${kind} was put to the protocol ${judgement.protocol.id}`);
  const entrant = enter(subject, question, resource);
  if (!entrant.allowed) return entrant;
  const { roles, options } = entrant;
  const one: Case = { ...judgement, labels, traits: identity.traits };
  const { against, for: speaking, principals, excluded } = weigh(roles, one);
  if (against.length > 0) return { allowed: false, question, code: 'access_denied', because: against };
  if (speaking.length > 0) return { allowed: true, question, options, principals, excluded, because: speaking };
  const because = [...shortfalls(roles, one), ...missingRoles(question.roles, subject)];
  return { allowed: false, question, code: 'access_denied', because };
}

function missingRoles(names: readonly string[], { roles }: Subject): readonly Reason[] {
  if (names.length === 0) return [{ clause: 'allow', part: 'role', detail: 'the certificate carries no roles' }];
  return names
    .filter((name) => !roles.has(name))
    .map((role) => ({ clause: 'allow', part: 'role', role, detail: 'does not exist any more, so it grants nothing' }));
}

import { failedDecision, type Decision, type Question, type Reason } from './decision.js';
import { enter } from './gate.js';
import type { CompiledRole } from './compile-role.js';
import type { Rule, Verb } from './role.js';
import { carriedRoles, type Subject } from './subject.js';

/** What is asked of the API: a verb on objects of one kind. */
export interface ApiRequest {
  readonly subject: Subject;
  readonly kind: string;
  readonly verb: Verb;
}

/**
 * Decides whether the subject may call the API at all, for calls that need no
 * rule: locks, the user's state, the certificate's end and ties, and the second
 * factor. Pure and total, as {@link decideRule}.
 */
export function decideCaller(subject: Subject): Decision {
  try {
    const question: Question = { user: subject.identity.user, roles: carriedRoles(subject.identity), kind: 'api' };
    const entrant = enter(subject, question, 'api');
    if (!entrant.allowed) return entrant;
    return { allowed: true, question, options: entrant.options, principals: [], excluded: [], because: [] };
  } catch (cause) {
    return failedDecision({ user: '', roles: [], kind: '' }, cause instanceof Error ? cause.message : 'it threw');
  }
}

/**
 * Decides a call of the API by the `rules` of the roles. Pure and total, and
 * deny wins, as in {@link decide}. A certificate for one resource calls nothing.
 */
export function decideRule({ subject, kind, verb }: ApiRequest): Decision {
  try {
    return decideOrThrow({ subject, kind, verb });
  } catch (cause) {
    return failedDecision({ user: '', roles: [], kind: '' }, cause instanceof Error ? cause.message : 'it threw');
  }
}

function decideOrThrow({ subject, kind, verb }: ApiRequest): Decision {
  const question: Question = { user: subject.identity.user, roles: carriedRoles(subject.identity), kind, verb };
  const entrant = enter(subject, question, 'api');
  if (!entrant.allowed) return entrant;
  const { roles, options } = entrant;
  const against = roles.flatMap((role) => unreadable(role) ?? matching(role, 'deny', question));
  if (against.length > 0) return { allowed: false, question, code: 'access_denied', because: against };
  const because = roles.flatMap((role) => matching(role, 'allow', question));
  if (because.length > 0) return { allowed: true, question, options, principals: [], excluded: [], because };
  const detail = `no rule allows to ${verb} ${kind}`;
  return { allowed: false, question, code: 'access_denied', because: [{ clause: 'allow', part: 'rules', detail }] };
}

function matching(role: CompiledRole, clause: 'allow' | 'deny', { kind, verb }: Question): readonly Reason[] {
  return role[clause].rules.flatMap((rule, index) =>
    names(rule.kinds, kind) && names(rule.verbs, verb)
      ? [{ clause, part: 'rules', role: role.name, entry: `${clause}.rules[${index}]`, detail: describe(clause, rule) }]
      : [],
  );
}

const unreadable = (role: CompiledRole): Reason | undefined =>
  role.problem === undefined
    ? undefined
    : { clause: 'deny', part: 'error', role: role.name, detail: `cannot be read: ${role.problem}` };

const names = (list: readonly string[], wanted: string | undefined): boolean =>
  list.some((one) => one === '*' || one === wanted);

const describe = (clause: 'allow' | 'deny', { kinds, verbs }: Rule): string =>
  `${clause === 'allow' ? 'allows' : 'denies'} ${verbs.join(', ')} on ${kinds.join(', ')}`;

import { PosternError, type Denial } from '@postern/plugin-sdk';
import type { Decision, Denied, Reason } from './decision.js';
import { actionText, explainCommand, list, resourceText } from './question-text.js';
import { printable } from './printable.js';

/** One decision in words for administrators: a sentence, and under it every reason that had a part in it. */
export function explain(decision: Decision): string {
  const roles = list(
    decision.question.roles.map((role) => printable(role)),
    20,
  );
  return [
    summary(decision),
    `  roles: ${roles === '' ? 'none' : roles}`,
    ...(decision.allowed ? [] : [`  code: ${decision.code}`]),
    ...decision.because.map((reason) => `  ${reasonText(reason)}`),
  ].join('\n');
}

/** The decision in one sentence for administrators: the decisive role and clause, or the smallest missing piece. */
export function summary(decision: Decision): string {
  const { question } = decision;
  const user = printable(question.user);
  const action = actionText(question);
  const [first] = decision.because;
  if (decision.allowed) return `${user} may ${action}: ${first ? reasonText(first) : 'allowed'}`;
  if (first?.clause === 'deny') return `${user} may not ${action}: ${reasonText(first)}`;
  const closest = nearestMiss(decision.because);
  return `${user} may not ${action}: ${closest ? missText(decision, closest) : 'nothing allows it'}`;
}

/** One reason in words: `role readers, allow.web[1]: allows env=staging only`. */
export function reasonText({ role, entry, detail }: Reason): string {
  if (role === undefined) return detail;
  return `role ${printable(role)}${entry === undefined ? '' : `, ${printable(entry)}`}: ${detail}`;
}

/**
 * What the user is told about a denial, on one line, with what to do next. It
 * names the user's own roles and nothing that stands in them, and says nothing
 * about the resource that the user did not say first.
 */
export function publicMessage(denied: Denied): string {
  if (denied.remedy !== undefined) return denied.remedy;
  const { question } = denied;
  if (denied.code === 'internal') return 'the decision failed, so the answer is no. Ask an administrator';
  const where = question.verb === undefined ? `, or see: ${explainCommand(question)}` : '';
  const next = `Ask an administrator${where}`;
  return `${printable(question.user)} may not ${actionText(question)}: ${publicCause(denied)}. ${next}`;
}

/** The denial that a session is refused with. */
export const denialOf = (denied: Denied): Denial => ({ code: denied.code, message: publicMessage(denied) });

/** The denial as an error: the summary for operators, the public message for the client. */
export const denialError = (denied: Denied): PosternError =>
  new PosternError(denied.code, summary(denied), { publicMessage: publicMessage(denied) });

function publicCause({ question: { roles }, because }: Denied): string {
  const denying = because.find(({ clause }) => clause === 'deny');
  if (denying?.role !== undefined)
    return denying.part === 'error'
      ? `the role ${printable(denying.role)} cannot be read, and an error denies`
      : `the role ${printable(denying.role)} denies it`;
  if (roles.length === 0) return 'the certificate carries no roles';
  const named = list(
    roles.map((role) => printable(role)),
    8,
  );
  return roles.length === 1 ? `the role ${named} does not allow it` : `none of the roles ${named} allows it`;
}

/** The reason to which the least was missing. */
function nearestMiss(because: readonly Reason[]): Reason | undefined {
  return because.reduce<Reason | undefined>(
    (best, reason) => (best === undefined || distance(reason) < distance(best) ? reason : best),
    undefined,
  );
}

function distance({ part, unmet }: Reason): number {
  if (part === 'access') return 0;
  if (part === 'error') return 1;
  if (part === 'labels') return unmet ? 1 + unmet.length : 500;
  return part === 'role' ? 2000 : 1000;
}

function missText({ question }: Denied, miss: Reason): string {
  const { user, kind, labels = {}, verb } = question;
  const nobody = `no role of ${printable(user)} allows`;
  if (verb !== undefined || question.roles.length === 0) return miss.detail;
  if (miss.part === 'labels' && miss.unmet) {
    const actual = miss.unmet.map((key) => `${key}=${Object.hasOwn(labels, key) ? (labels[key] ?? '') : '(none)'}`);
    return `${nobody} ${printable(kind)} on ${printable(actual.join(', '))}; ${reasonText(miss)}`;
  }
  if (miss.part === 'access') return `${nobody} this ask on ${resourceText(question)}; ${reasonText(miss)}`;
  if (miss.part === 'protocol') return `${nobody} anything of kind ${printable(kind)}`;
  return reasonText(miss);
}

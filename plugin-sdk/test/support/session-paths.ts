import { PosternError } from '@postern/plugin-sdk';
import { never, type Script, type Stage, type StageOptions } from './stage.js';

/** One way through a session: what is played, and every call that must follow. */
export interface Path {
  readonly name: string;
  readonly script?: Script;
  readonly options?: StageOptions;
  /** What happens from outside once the session runs. */
  readonly during?: (stage: Stage) => void;
  readonly steps: readonly string[];
  readonly outcome: string;
  /** What the client was told last. */
  readonly told?: string;
  readonly events: readonly string[];
}

export const locked = { code: 'locked', message: 'locked by an administrator' } as const;
const started = ['session.start', 'session.end'];

/** Ends the session from outside as soon as `serve` has been called. */
const served: Script = { serve: never };
const onServe = (act: (stage: Stage) => void) => (stage: Stage) => {
  const wait = setInterval(() => {
    if (!stage.steps.includes('serve')) return;
    clearInterval(wait);
    act(stage);
  }, 1);
};

export const paths: readonly Path[] = [
  {
    name: 'a session that is served',
    steps: ['open', 'admit', 'serve', 'end ended'],
    outcome: 'ended',
    events: started,
  },
  {
    name: 'a denied session',
    options: { allow: {} },
    steps: ['open', 'admit', 'refuse access_denied'],
    outcome: 'refused',
    told: 'no: access denied',
    events: ['session.denied'],
  },
  {
    name: 'a session that a deny names',
    options: { deny: { topics: ['main'] } },
    steps: ['open', 'admit', 'refuse access_denied'],
    outcome: 'refused',
    told: 'no: access denied',
    events: ['session.denied'],
  },
  {
    name: 'a client that proved nothing',
    options: { identity: null },
    steps: ['open', 'admit', 'refuse unauthenticated'],
    outcome: 'refused',
    told: 'no: a certificate is needed',
    events: ['session.denied'],
  },
  {
    name: 'an opening that fails with a code',
    script: { open: () => Promise.reject(new PosternError('unauthenticated', 'bad signature')) },
    steps: ['open', 'refused unauthenticated', 'refuse unauthenticated'],
    outcome: 'refused',
    told: 'no: unauthenticated',
    events: ['session.denied'],
  },
  {
    name: 'an opening that breaks',
    script: { open: () => Promise.reject(new TypeError('secret of the implementation')) },
    steps: ['open', 'refused internal', 'refuse internal'],
    outcome: 'refused',
    told: 'no: internal',
    events: ['session.denied'],
  },
  {
    name: 'an opening that throws before it returns a promise',
    script: {
      open: () => {
        throw new TypeError('not even a promise');
      },
    },
    steps: ['open', 'refused internal', 'refuse internal'],
    outcome: 'refused',
    told: 'no: internal',
    events: ['session.denied'],
  },
  {
    name: 'an opening that takes too long',
    script: { open: never },
    steps: ['open', 'refused unavailable', 'refuse unavailable'],
    outcome: 'refused',
    told: 'no: timeout',
    events: ['session.denied'],
  },
  {
    name: 'an ask that is none',
    script: { open: async () => ({ topic: 'x'.repeat(50) }) },
    steps: ['open', 'refused access_denied', 'refuse access_denied'],
    outcome: 'refused',
    told: 'no: topic: Too big: expected string to have <=20 characters',
    events: ['session.denied'],
  },
  {
    name: 'a decision that fails',
    options: {
      prepare: (host) => (host.admit = () => Promise.reject(new PosternError('unavailable', 'store is down'))),
    },
    steps: ['open', 'refuse unavailable'],
    outcome: 'refused',
    told: 'no: unavailable',
    events: [],
  },
  {
    name: 'a refusal that cannot be recorded',
    script: { open: () => Promise.reject(new PosternError('expired', 'too late')) },
    options: { prepare: (host) => (host.refused = () => Promise.reject(new Error('disk full'))) },
    steps: ['open', 'refuse expired'],
    outcome: 'refused',
    told: 'no: expired',
    events: [],
  },
  {
    name: 'a process that stops before the session begins',
    options: { prepare: (host) => host.stop(locked) },
    steps: ['refused locked', 'refuse locked'],
    outcome: 'refused',
    told: 'no: locked by an administrator',
    events: ['session.denied'],
  },
  {
    name: 'a process that stops while the session opens',
    script: { open: never },
    during: ({ host }) => host.stop(locked),
    steps: ['open', 'refused locked', 'refuse locked'],
    outcome: 'refused',
    told: 'no: locked by an administrator',
    events: ['session.denied'],
  },
  {
    name: 'a process that stops while the session is decided',
    script: { open: async () => ({ topic: 'main' }) },
    options: {
      prepare: (host) => {
        const admit = host.admit.bind(host);
        host.admit = async (...given) => {
          host.stop(locked);
          return admit(...given);
        };
      },
    },
    steps: ['open', 'admit', 'refuse locked', 'end cut'],
    outcome: 'cut',
    told: 'no: locked by an administrator',
    events: started,
  },
  {
    name: 'a process that stops while the session is served',
    script: served,
    during: onServe(({ host }) => host.stop(locked)),
    steps: ['open', 'admit', 'serve', 'refuse locked', 'end cut'],
    outcome: 'cut',
    told: 'no: locked by an administrator',
    events: started,
  },
  {
    name: 'a session that is cut',
    script: served,
    during: onServe(({ host }) => host.cut(locked)),
    steps: ['open', 'admit', 'serve', 'refuse locked', 'end cut'],
    outcome: 'cut',
    told: 'no: locked by an administrator',
    events: started,
  },
  {
    name: 'a session that is cut and returns as if it had ended',
    script: {
      serve: (_client, _grant, { signal }) =>
        new Promise((resolve) => signal.addEventListener('abort', () => resolve())),
    },
    during: onServe(({ host }) => host.cut(locked)),
    steps: ['open', 'admit', 'serve', 'refuse locked', 'end cut'],
    outcome: 'cut',
    told: 'no: locked by an administrator',
    events: started,
  },
  {
    name: 'a session that throws before it returns a promise',
    script: {
      serve: () => {
        throw new TypeError('not even a promise');
      },
    },
    steps: ['open', 'admit', 'serve', 'refuse internal', 'end failed'],
    outcome: 'failed',
    told: 'no: internal',
    events: started,
  },
  {
    name: 'a refusal that throws before it returns a promise',
    script: {
      serve: () => Promise.reject(new PosternError('access_denied', 'x')),
      refuse: () => {
        throw new TypeError('not even a promise');
      },
    },
    steps: ['open', 'admit', 'serve', 'refuse access_denied', 'end refused'],
    outcome: 'refused',
    told: '',
    events: started,
  },
  {
    name: 'a refusal that never ends',
    script: { refuse: never },
    options: { allow: {} },
    steps: ['open', 'admit', 'refuse access_denied'],
    outcome: 'refused',
    told: '',
    events: ['session.denied'],
  },
  {
    name: 'an end that cannot be recorded',
    options: { prepare: (host) => (host.end = () => Promise.reject(new Error('disk full'))) },
    steps: ['open', 'admit', 'serve'],
    outcome: 'ended',
    events: ['session.start'],
  },
  {
    name: 'credentials that cannot be prepared',
    options: {
      prepare: (host) => {
        host.credentials = () => {
          throw new Error('no key');
        };
      },
    },
    steps: ['open', 'admit', 'refuse internal', 'end failed'],
    outcome: 'failed',
    told: 'no: internal',
    events: started,
  },
];

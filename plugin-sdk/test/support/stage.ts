import type { Duplex } from 'node:stream';
import {
  defineProtocol,
  event,
  field,
  SessionContext,
  write,
  type AgentModule,
  type ClientLink,
  type Denial,
  type Grant,
  type Scope,
  type Session,
} from '@postern/plugin-sdk';
import { startSession, type Admission, type Outcome, type RunningSession } from '@postern/plugin-sdk/host';
import { duplexPair, FakeHost, type FakeHostOptions } from '@postern/plugin-sdk/testing';
import { z } from 'zod';

const endpoint = z.strictObject({ host: z.string(), port: z.int() });

/** A protocol whose asks name a topic; the topic `side` lives at a place of its own. */
export const notes = defineProtocol({
  id: 'notes',
  title: 'Notes',
  posture: 'hostile-client',
  transport: { kind: 'tls' },
  config: z.strictObject({}),
  auth: {
    resource: z.strictObject({ main: endpoint, side: endpoint }),
    endpoints: ({ main, side }, { topic }) => [topic === 'side' ? side : main],
    ask: z.strictObject({ topic: z.string().max(20) }),
    access: z.strictObject({ topics: z.array(z.string()).default([]) }),
    permits: ({ topics }, { topic }) => topics.includes(topic),
    forbids: ({ topics }, { topic }) => topics.includes(topic),
  },
  audit: {
    note: event('A note was taken.', { text: field.public(z.string().max(100)), hidden: field.secret(z.string()) }),
  },
  recordings: { log: { title: 'What was said', format: 'lines' } },
});
export type Notes = typeof notes;
export type Context = SessionContext<Notes>;

export const mainEndpoint = { host: '127.0.0.1', port: 1 };
export const sideEndpoint = { host: '127.0.0.1', port: 2 };

/** What a session of a test does where a real one speaks a protocol. */
export interface Script {
  open?(client: ClientLink, context: Context): Promise<{ topic: string }>;
  serve?(client: ClientLink, grant: Grant<Notes>, context: Context): Promise<void>;
  refuse?(client: ClientLink, denial: Denial, context: Context): Promise<void>;
}

/** A host that writes down what is called on it. */
export class StagedHost extends FakeHost<Notes> {
  constructor(
    private readonly steps: string[],
    options: Partial<FakeHostOptions<Notes>>,
  ) {
    super({
      protocol: notes,
      spec: { main: mainEndpoint, side: sideEndpoint },
      allow: { topics: ['main', 'more'] },
      limits: { openMs: 100, graceMs: 50 },
      ...options,
    });
  }

  override async admit(...given: Parameters<FakeHost<Notes>['admit']>): Promise<Admission> {
    this.steps.push('admit');
    return super.admit(...given);
  }
  override async refused(denial: Denial): Promise<void> {
    this.steps.push(`refused ${denial.code}`);
    return super.refused(denial);
  }
  override async end(outcome: Outcome): Promise<void> {
    this.steps.push(`end ${outcome.kind}`);
    return super.end(outcome);
  }
}

export interface Stage extends RunningSession {
  /** The calls on the plugin and on its host, in order. */
  readonly steps: string[];
  readonly host: StagedHost;
  /** The client's end, and the one that the session holds. */
  readonly client: Duplex;
  readonly near: Duplex;
  /** The resource's ends, dial after dial. */
  readonly upstreams: Duplex[];
}

export interface StageOptions extends Partial<FakeHostOptions<Notes>> {
  /** Changes the host before the session begins. */
  readonly prepare?: (host: StagedHost) => void;
  readonly scope?: Scope;
  readonly agent?: AgentModule<Notes>;
}

/** Runs a script as a session. Asks for the topic `main`, serves at once and refuses with the code, unless told otherwise. */
export function stage(script: Script = {}, options: StageOptions = {}): Stage {
  const { prepare, scope, agent, ...hostOptions } = options;
  const steps: string[] = [];
  const upstreams: Duplex[] = [];
  const dial = async (): Promise<Duplex> => {
    const [near, far] = duplexPair();
    upstreams.push(far.on('error', () => {}));
    return near;
  };
  const host = new StagedHost(steps, { dial, ...hostOptions });
  prepare?.(host);
  const [client, near] = duplexPair();
  client.on('error', () => {});
  const running = startSession(host, agent ?? { Session: scripted(script, steps) }, near, scope);
  return { ...running, steps, host, client, near, upstreams };
}

function scripted(script: Script, steps: string[]): AgentModule<Notes>['Session'] {
  return class implements Session<Notes> {
    static readonly inject = [SessionContext];
    constructor(private readonly context: Context) {}

    open(client: ClientLink): Promise<{ topic: string }> {
      steps.push('open');
      return script.open?.(client, this.context) ?? Promise.resolve({ topic: 'main' });
    }
    serve(client: ClientLink, grant: Grant<Notes>): Promise<void> {
      steps.push('serve');
      return script.serve?.(client, grant, this.context) ?? Promise.resolve();
    }
    refuse(client: ClientLink, denial: Denial): Promise<void> {
      steps.push(`refuse ${denial.code}`);
      return script.refuse?.(client, denial, this.context) ?? write(client.stream, `no: ${denial.message}`);
    }
  };
}

/** Never settles. */
export const never = (): Promise<never> => new Promise(() => {});

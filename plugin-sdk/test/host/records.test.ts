import assert from 'node:assert/strict';
import { PosternError, type Hold } from '@postern/plugin-sdk';
import { rejectsWith, turns } from '../support/relayed.js';
import { never, stage, type Context } from '../support/stage.js';

const note = { text: 'hello', hidden: 'hunter2' };
const lost = /what cannot be recorded must not happen/;

/** Ways in which an audit log is lost. */
const losses: Record<string, () => Hold> = {
  throws: () => {
    throw new Error('disk full');
  },
  rejects: () => Promise.reject(new Error('disk full')),
  'rejects later': async () => {
    await turns();
    throw new Error('disk full');
  },
};

/** What a careless plugin does with an event that could not be recorded. */
const carelessness: Record<string, (emit: () => Hold) => Promise<void>> = {
  'waits for it': async (emit) => emit(),
  'swallows the error': async (emit) => {
    try {
      await emit();
    } catch {
      // That is the carelessness.
    }
    await never();
  },
  'does not wait': async (emit) => {
    try {
      void emit();
    } catch {
      // Neither here.
    }
    await never();
  },
};

describe('an audit event', () => {
  it('is validated, redacted and named after its protocol', async () => {
    const running = stage({ serve: async (_client, _grant, { audit }) => audit.emit('note', note) });
    await running.done;
    assert.deepEqual(running.host.events[1], { type: 'notes.note', fields: { text: 'hello', hidden: '[redacted]' } });
  });

  it('costs no turn where the log takes it at once', async () => {
    const running = stage({
      serve: async (_client, _grant, { audit }) => assert.equal(audit.emit('note', note), undefined),
    });
    assert.equal((await running.done).kind, 'ended');
  });

  it('holds its effect until the log has it', async () => {
    let store = (): void => {};
    const order: string[] = [];
    const running = stage(
      {
        serve: async (_client, _grant, { audit }) => {
          await audit.emit('note', note);
          order.push('effect');
        },
      },
      { store: () => new Promise<void>((resolve) => (store = resolve)).then(() => void order.push('stored')) },
    );
    await turns();
    assert.deepEqual(order, []);
    store();
    assert.equal((await running.done).kind, 'ended');
    assert.deepEqual(order, ['stored', 'effect']);
  });

  for (const [how, store] of Object.entries(losses))
    for (const [what, carelessly] of Object.entries(carelessness))
      it(`that a log ${how} ends the session of a plugin that ${what}`, async () => {
        const running = stage(
          { serve: (_client, _grant, { audit }) => carelessly(() => audit.emit('note', note)) },
          { store },
        );
        const outcome = await running.done;
        assert.equal(outcome.kind, 'cut');
        assert.match(outcome.kind === 'cut' ? outcome.denial.message : '', lost);
        assert.deepEqual(running.steps.slice(-2), ['refuse unavailable', 'end cut']);
      });

  const misfits: Record<string, (context: Context) => Hold> = {
    'an event that is not declared': ({ audit }) => audit.emit('constructor' as never, {} as never),
    'a field that does not fit': ({ audit }) => audit.emit('note', { ...note, text: 'x'.repeat(200) }),
    'a field too many': ({ audit }) => audit.emit('note', { ...note, surprise: 1 } as never),
    'a field too few': ({ audit }) => audit.emit('note', { text: 'x' } as never),
  };
  for (const [what, emit] of Object.entries(misfits))
    it(`is lost, and its session with it, where it has ${what}`, async () => {
      const running = stage({
        serve: async (_client, _grant, context) => {
          assert.throws(
            () => void emit(context),
            (cause) => PosternError.is(cause) && cause.code === 'audit_unavailable',
          );
          await never();
        },
      });
      assert.equal((await running.done).kind, 'cut');
      assert.deepEqual(
        running.host.events.map(({ type }) => type),
        ['session.start', 'session.end'],
      );
    });

  it('cannot exist before the session was admitted', async () => {
    const running = stage({
      open: async (_client, { audit }) => {
        await audit.emit('note', note);
        return { topic: 'main' };
      },
    });
    assert.equal((await running.done).kind, 'refused');
    assert.deepEqual(
      running.host.events.map(({ type }) => type),
      ['session.denied'],
    );
  });

  it('cannot exist after the session is over', async () => {
    let late: Context | undefined;
    const running = stage({ serve: async (_client, _grant, context) => void (late = context) });
    await running.done;
    assert.throws(() => void late!.audit.emit('note', note), /after the session was over/);
    await rejectsWith('internal', late!.record('log', {}));
    assert.deepEqual(
      running.host.events.map(({ type }) => type),
      ['session.start', 'session.end'],
    );
  });
});

describe('a recording', () => {
  it('is closed at the end of the session, before the end is recorded', async () => {
    const running = stage(
      {
        serve: async (_client, _grant, context) => {
          const recording = await context.record('log', { user: 'alice' });
          await recording.write('out', Buffer.from('hello'));
        },
      },
      {
        prepare: (host) => {
          const end = host.end.bind(host);
          host.end = async (outcome) => {
            assert.equal(host.recordings[0]?.closed, true);
            return end(outcome);
          };
        },
      },
    );
    await running.done;
    assert.equal(running.steps.at(-1), 'end ended');
    assert.deepEqual(running.host.recordings[0]?.entries, [{ direction: 'out', data: Buffer.from('hello') }]);
  });

  for (const kind of ['desktop', 'constructor', 'toString'])
    it(`is not made of the kind ${kind}, which nobody declared`, async () => {
      const running = stage({
        serve: (_client, _grant, context) => rejectsWith('internal', context.record(kind, {})),
      });
      assert.equal((await running.done).kind, 'ended');
      assert.equal(running.host.recordings.length, 0);
    });

  it('cannot exist before the session was admitted', async () => {
    const running = stage({
      open: async (_client, context) => {
        await rejectsWith('internal', context.record('log', {}));
        return { topic: 'main' };
      },
    });
    assert.equal((await running.done).kind, 'ended');
  });

  it('that was being made when the session ended is closed', async () => {
    let made = (): void => {};
    const running = stage(
      { serve: async (_client, _grant, context) => void (await context.record('log', {})) },
      {
        prepare: (host) => {
          const record = host.record.bind(host);
          host.record = async (...given) => {
            await new Promise<void>((resolve) => (made = resolve));
            return record(...given);
          };
        },
      },
    );
    await turns();
    running.host.cut({ code: 'locked', message: 'locked' });
    await running.done;
    made();
    await turns();
    assert.equal(running.host.recordings[0]?.closed, true);
  });

  it('that cannot be closed does not keep the others open, nor the session from its end', async () => {
    const running = stage({
      serve: async (_client, _grant, context) => {
        const broken = await context.record('log', {});
        broken.close = () => {
          throw new Error('disk full');
        };
        await context.record('log', {});
      },
    });
    assert.equal((await running.done).kind, 'ended');
    assert.equal(running.host.recordings[1]?.closed, true);
    assert.ok(running.host.logs.some(({ message }) => message === 'a recording could not be closed'));
  });
});

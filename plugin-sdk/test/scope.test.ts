import assert from 'node:assert/strict';
import { inject, injectable, Scope, token } from '@postern/plugin-sdk';
import type * as di from '../src/di.js';

interface Name {
  readonly text: string;
}
const Name = token<Name>('test.Name');
interface Holder {
  readonly name: Name;
}
const Holder = token<Holder>('test.Holder');
const Extra = token<string>('test.Extra');

@injectable()
class DecoratedHolder implements Holder {
  constructor(@inject(Name) readonly name: Name) {}
}

class ListedHolder implements Holder {
  static readonly inject = [Name];
  constructor(readonly name: Name) {}
}

describe('Scope', () => {
  it('refuses to build a singleton from what only a session has', () => {
    const root = Scope.root().singleton(Holder, DecoratedHolder);
    const session = root.child().value(Name, { text: 'alice' });
    assert.throws(() => session.get(Holder), /test\.Name/);
  });

  it('never lets one session see what another one made a singleton of', () => {
    const root = Scope.root().singleton(Holder, DecoratedHolder).value(Name, { text: 'everybody' });
    const alice = root.child().value(Name, { text: 'alice' });
    const bob = root.child().value(Name, { text: 'bob' });
    assert.equal(alice.get(Holder).name.text, 'everybody');
    assert.equal(bob.get(Holder), alice.get(Holder));
  });

  it('keeps a singleton alive when the session that asked first is over', async () => {
    const disposed: string[] = [];
    class Service {
      async [Symbol.asyncDispose](): Promise<void> {
        disposed.push('service');
      }
    }
    const Service_ = token<Service>('test.Service');
    const root = Scope.root().singleton(Service_, Service);
    const session = root.child();
    session.get(Service_);
    await session[Symbol.asyncDispose]();
    assert.deepEqual(disposed, []);
    await root[Symbol.asyncDispose]();
    assert.deepEqual(disposed, ['service']);
  });

  it('builds one instance for each scope that asks, from what that scope has', () => {
    const root = Scope.root().perScope(Holder, DecoratedHolder);
    const alice = root.child().value(Name, { text: 'alice' });
    const bob = root.child().value(Name, { text: 'bob' });
    assert.equal(alice.get(Holder).name.text, 'alice');
    assert.equal(bob.get(Holder).name.text, 'bob');
    assert.equal(alice.get(Holder), alice.get(Holder));
  });

  it('takes the constructor parameters of a class without decorators from its list', () => {
    const scope = Scope.root().value(Name, { text: 'listed' }).singleton(Holder, ListedHolder);
    assert.equal(scope.get(Holder).name.text, 'listed');
    assert.ok(scope.get(Holder) instanceof ListedHolder);
  });

  it('builds a listed class for the scope that owns it too', () => {
    const root = Scope.root().singleton(Holder, ListedHolder);
    assert.throws(() => root.child().value(Name, { text: 'alice' }).get(Holder), /test\.Name/);
  });

  it('refuses a second binding of one token in one scope, and lets a child have its own', () => {
    const scope = Scope.root().value(Name, { text: 'first' });
    assert.throws(() => scope.value(Name, { text: 'second' }), /already bound/);
    assert.throws(
      () =>
        scope.singleton(
          Name,
          class {
            readonly text = 'third';
          },
        ),
      /already bound/,
    );
    assert.equal(scope.child().value(Name, { text: 'inner' }).get(Name).text, 'inner');
    assert.equal(scope.get(Name).text, 'first');
  });

  it('builds a class that another copy of the SDK has decorated', async () => {
    const other = (await import(new URL('../src/di.ts?again', import.meta.url).href)) as typeof di;
    assert.notEqual(other.inject, inject);
    class Theirs implements Holder {
      constructor(readonly name: Name) {}
    }
    other.inject(Name)(Theirs, undefined, 0);
    const scope = Scope.root().value(Name, { text: 'shared' }).singleton(Holder, Theirs);
    assert.equal(scope.get(Holder).name.text, 'shared');
  });

  it('refuses a class whose parameters nobody named', () => {
    class Unnamed implements Holder {
      constructor(readonly name: Name) {}
    }
    assert.throws(() => Scope.root().singleton(Holder, Unnamed).get(Holder), /Unnamed/);
  });

  it('does not take the parameters of a class for those of one that extends it', () => {
    @injectable()
    class Both extends DecoratedHolder {
      constructor(
        @inject(Name) name: Name,
        @inject(Extra) readonly extra: string,
      ) {
        super(name);
      }
    }
    const scope = Scope.root().value(Name, { text: 'n' }).value(Extra, 'e').singleton(Holder, Both);
    assert.deepEqual({ ...(scope.get(Holder) as Both) }, { name: { text: 'n' }, extra: 'e' });
  });

  it('names a token that nobody bound', () => {
    assert.throws(() => Scope.root().get(token('test.Unbound')), /test\.Unbound/);
  });

  it('agrees with another copy of the SDK about tokens', () => {
    assert.equal(token('test.Name'), Name);
    assert.notEqual(token('test.Other'), Name);
  });

  it('keeps siblings apart', () => {
    const root = Scope.root();
    root.child().value(Name, { text: 'plugin one' });
    assert.throws(() => root.child().get(Name), /test\.Name/);
  });
});

describe('Scope disposal', () => {
  const Early = token<object>('test.Early');
  const Late = token<object>('test.Late');

  /** A class that writes its name down when it is disposed of, and fails if told to. */
  const noting = (name: string, log: string[], failure?: Error): new () => object =>
    class {
      async [Symbol.asyncDispose](): Promise<void> {
        await Promise.resolve();
        log.push(name);
        if (failure) throw failure;
      }
    };

  it('runs newest first', async () => {
    const log: string[] = [];
    const scope = Scope.root().singleton(Early, noting('early', log)).singleton(Late, noting('late', log));
    scope.get(Late);
    scope.get(Early);
    await scope[Symbol.asyncDispose]();
    assert.deepEqual(log, ['early', 'late'], 'the order is that of building, turned round');
  });

  it('finishes when a disposer throws, and reports every failure', async () => {
    const log: string[] = [];
    const failure = new Error('cannot close');
    const scope = Scope.root()
      .singleton(Early, noting('early', log))
      .singleton(Late, noting('late', log, failure));
    scope.get(Early);
    scope.get(Late);
    await assert.rejects(scope[Symbol.asyncDispose](), (cause: unknown) => {
      assert.ok(cause instanceof AggregateError);
      assert.deepEqual(cause.errors, [failure]);
      return true;
    });
    assert.deepEqual(log, ['late', 'early']);
  });

  it('happens once, and never to what was not built or was only lent', async () => {
    const log: string[] = [];
    const lent = new (noting('lent', log))();
    const scope = Scope.root().singleton(Early, noting('early', log)).value(Late, lent);
    scope.get(Late);
    await scope[Symbol.asyncDispose]();
    assert.deepEqual(log, []);
    scope.get(Early);
    await scope[Symbol.asyncDispose]();
    await scope[Symbol.asyncDispose]();
    assert.deepEqual(log, ['early']);
  });
});

import { container, injectedTokens, type DependencyContainer } from './di.js';

declare const provides: unique symbol;

/**
 * Names a service. Declare the token under the name of its interface, so that
 * one import is both the type and the key:
 *
 *     export interface Clock { now(): Date }
 *     export const Clock = token<Clock>('Clock');
 *
 * Tokens are registered symbols: two copies of the SDK agree on them.
 */
export type Token<T> = symbol & { readonly [provides]?: T };

export const token = <T>(name: string): Token<T> => Symbol.for(`postern:${name}`);

/**
 * A constructor whose parameters carry `@inject`, or which lists them as
 * `static inject = [SessionContext]` where decorators are not at hand.
 */
export type Class<T> = (new (...args: any[]) => T) & { readonly inject?: readonly Token<any>[] };

const scopes = new WeakMap<DependencyContainer, Scope>();

/**
 * A lifetime: the process, one plugin, or one session. The only file that
 * touches a tsyringe container.
 *
 * It closes gaps that tsyringe leaves open: a singleton is built by the scope
 * that owns it and never by a session that happened to ask first (which would
 * hand one user's objects to another), a token is bound once, disposal runs
 * newest first and finishes even when a disposer throws, and the global
 * container stays untouched: libraries may keep their own things there.
 */
export class Scope implements AsyncDisposable {
  readonly #container: DependencyContainer;
  readonly #built: unknown[] = [];

  private constructor(within: DependencyContainer) {
    this.#container = within.createChildContainer();
    scopes.set(this.#container, this);
  }

  static root(): Scope {
    return new Scope(container);
  }

  child(): Scope {
    return new Scope(this.#container);
  }

  /** Binds an existing object. The caller keeps ownership: it is not disposed here. */
  value<T>(name: Token<T>, value: NoInfer<T>): this {
    return this.#bind(name, () => value);
  }

  /** One instance for this scope and everything below it. */
  singleton<T>(name: Token<T>, type: Class<NoInfer<T>>): this {
    let instance: { value: T } | undefined;
    return this.#bind(name, () => (instance ??= { value: this.#build(type) }).value);
  }

  /** One instance for each scope that asks. */
  perScope<T>(name: Token<T>, type: Class<NoInfer<T>>): this {
    const instances = new WeakMap<Scope, { value: T }>();
    return this.#bind(name, (asking) => {
      const scope = scopes.get(asking) ?? this;
      const instance = instances.get(scope) ?? { value: scope.#build(type) };
      instances.set(scope, instance);
      return instance.value;
    });
  }

  /** For composition roots only: everything else receives what it uses through its constructor. */
  get<T>(name: Token<T>): T {
    return this.#container.resolve<T>(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const failures: unknown[] = [];
    for (const instance of this.#built.splice(0).reverse()) {
      try {
        await (instance as Partial<AsyncDisposable>)[Symbol.asyncDispose]?.();
      } catch (cause) {
        failures.push(cause);
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, 'disposal failed');
  }

  #bind<T>(name: Token<T>, make: (asking: DependencyContainer) => T): this {
    if (this.#container.isRegistered(name)) throw new Error(`${String(name)} is already bound in this scope`);
    this.#container.register(name, { useFactory: make });
    return this;
  }

  #build<T>(type: Class<T>): T {
    const needs = (type.inject ?? injectedTokens(type))?.map((name) => this.get<unknown>(name));
    const instance = needs ? Reflect.construct(type, needs) : this.#container.resolve<T>(type);
    this.#built.push(instance);
    return instance;
  }
}

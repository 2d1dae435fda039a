// tsyringe refuses to load before its polyfill, so the two are imported here only, in this order.
import 'reflect-metadata';
import { inject as injectToken } from 'tsyringe';
export { container, injectable, type DependencyContainer } from 'tsyringe';

/** Registered, so that a plugin that brings its own copy of the SDK is understood by the container of another one. */
const tokens = Symbol.for('postern:inject');

interface Injected {
  [tokens]?: symbol[];
}

/** Names the token of one constructor parameter. */
export function inject(name: symbol): (target: object, method: string | symbol | undefined, parameter: number) => void {
  return (target, method, parameter) => {
    const type = target as Injected;
    if (!Object.hasOwn(type, tokens)) Object.defineProperty(type, tokens, { value: [] });
    if (type[tokens]) type[tokens][parameter] = name;
    injectToken(name)(target, method, parameter);
  };
}

/** The tokens of a class whose parameters all have one; nothing where the container has to find out by itself. */
export function injectedTokens(type: new (...args: any[]) => unknown): readonly symbol[] | undefined {
  const own = Object.hasOwn(type, tokens) ? (type as Injected)[tokens] : undefined;
  return own && Object.keys(own).length === type.length ? own : undefined;
}

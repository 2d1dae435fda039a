// tsyringe refuses to load before its polyfill, so the two are imported here only, in this order.
import 'reflect-metadata';
export { container, inject, injectable, type DependencyContainer } from 'tsyringe';

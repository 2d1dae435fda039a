import type { Check } from '../api/handlers/cluster-handlers.js';

/** What `/readyz` and `postern status` tell: one line for everything that the process depends on. */
export class Readiness {
  readonly #sources = new Map<string, () => { readonly ready: boolean; readonly reason?: string | undefined }>();

  watch(name: string, health: () => { readonly ready: boolean; readonly reason?: string | undefined }): void {
    this.#sources.set(name, health);
  }

  /** From now on this part is not ready. */
  fail(name: string, reason: string): void {
    this.#sources.set(name, () => ({ ready: false, reason }));
  }

  get checks(): readonly Check[] {
    return [...this.#sources].map(([name, health]) => {
      const { ready, reason } = health();
      return { name, ok: ready, detail: reason ?? (ready ? 'ready' : 'not ready') };
    });
  }

  get ready(): boolean {
    return this.checks.every(({ ok }) => ok);
  }

  /** The checks as `/readyz` says them: one a line. */
  get text(): string {
    return this.checks.map(({ name, ok, detail }) => `${ok ? 'ok' : 'failed'} ${name}: ${detail}\n`).join('');
  }
}

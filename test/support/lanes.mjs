// Runs commands side by side, each as one block of output, so that a run uses the cores it has and can still be read.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const seconds = (since) => `${((Date.now() - since) / 1000).toFixed(1)} s`;

/** The signal ends what was started too, and this program through it: `process.exitCode` is the caller's. */
function passOn(signal, running) {
  for (const { child } of running.values()) child.kill(signal);
}

async function run({ title, command, args, env }, scratch, running) {
  const path = join(scratch, `${title.replaceAll(/\W+/g, '-')}.log`);
  const output = openSync(path, 'w');
  const began = Date.now();
  const child = spawn(command, args, { stdio: ['ignore', output, output], env: { ...process.env, ...env } });
  closeSync(output);
  running.set(title, { child, began });
  const [status, signal] = await once(child, 'exit').catch((error) => [undefined, error.message]);
  running.delete(title);
  console.log(`\n== ${title}`);
  process.stdout.write(readFileSync(path));
  console.log(`== ${title}: ${status === 0 ? 'ok' : `FAILED (${signal ?? status})`}, ${seconds(began)}`);
  return status === 0;
}

/**
 * Runs the jobs, as many at once as there are lanes, in their order; all of them, whatever fails, so that one run shows
 * everything that is wrong.
 *
 * @param jobs `{ title, command, args, env? }`
 * @param lanes how many run at the same time
 * @param scratch a directory for output that waits until its job has ended
 * @returns whether every job exited with 0
 */
export async function runInLanes(jobs, lanes, scratch) {
  const waiting = [...jobs];
  const running = new Map();
  for (const signal of ['SIGINT', 'SIGTERM'])
    process.on(signal, () => {
      waiting.length = 0;
      passOn(signal, running);
    });
  const heartbeat = setInterval(() => {
    const names = [...running].map(([title, { began }]) => `${title} (${seconds(began)})`);
    console.log(`… running: ${names.join(', ')}; ${waiting.length} to come`);
  }, 60_000);
  const results = [];
  const lane = async () => {
    for (let job = waiting.shift(); job; job = waiting.shift()) results.push(await run(job, scratch, running));
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  clearInterval(heartbeat);
  return results.length === jobs.length && results.every(Boolean);
}

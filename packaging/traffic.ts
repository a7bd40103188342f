// Sessions that go on while something is done to the gateway, and not one packet of which may be missing afterwards.
import { setTimeout as sleep } from 'node:timers/promises';
import type { DemoSession } from '../lab/demo-sessions.ts';
import { until } from '../lab/wait.ts';

/** Sends on every session until `work` is done, and claims that everything arrived. */
export async function during(sessions: readonly DemoSession[], work: Promise<unknown>): Promise<string> {
  const state = { done: false };
  const finished = work.finally(() => {
    state.done = true;
  });
  const before = sessions.map((session) => session.arrived());
  let rounds = 0;
  while (!state.done || rounds < 20) {
    for (const session of sessions) session.send();
    rounds += 1;
    await sleep(10);
  }
  await finished;
  await until(
    `${rounds} packets each way on each of ${sessions.length} sessions`,
    () =>
      sessions.every((session, index) => {
        const { up, down } = session.arrived();
        return up - before[index]!.up === rounds && down - before[index]!.down === rounds;
      }),
    5_000,
    () => JSON.stringify(sessions.map((session) => session.arrived())),
  );
  return `${rounds} packets each way on each of ${sessions.length} sessions, none lost`;
}

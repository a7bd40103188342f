import { deepStrictEqual, match, strictEqual } from 'node:assert/strict';
import { afterEach, describe, it } from 'vitest';
import { FloodWatch } from './flood-watch.ts';

describe('FloodWatch', () => {
  const open: FloodWatch[] = [];
  afterEach(() => {
    for (const one of open.splice(0)) one.close();
  });

  async function watch(
    there = 0,
  ): Promise<{ watch: FloodWatch; told: string[]; see: (...packets: number[]) => Promise<void> }> {
    const told: string[] = [];
    let total = there;
    const made = new FloodWatch({ read: () => Promise.resolve(total), tell: (what) => told.push(what) });
    open.push(made);
    await made.look();
    const see = async (...packets: number[]): Promise<void> => {
      for (const more of packets) {
        total += more;
        await made.look();
      }
    };
    return { watch: made, told, see };
  }

  it('tells a flood once, with its server, and the next one again', async () => {
    const { watch: made, told, see } = await watch();
    await see(0);
    made.heard('203.0.113.9', 3);
    made.heard('203.0.113.1', 90);
    await see(500_000, 400_000, 0, 300_000, 10);
    strictEqual(told.length, 1);
    match(told[0]!, /203\.0\.113\.1, .* 500,000 packets/);
    await see(...Array.from({ length: 13 }, () => 0));
    await see(2_000);
    strictEqual(told.length, 2);
    match(told[1]!, /from the internet/);
  });

  it('tells a few packets once in a while, and what was there at the start never', async () => {
    const { told, see } = await watch(70);
    await see(0, 3, 5, 2);
    deepStrictEqual(
      told.map((one) => one.slice(0, 14)),
      ['3 packets of E'],
    );
  });

  it('goes on when the counters cannot be read', async () => {
    const made = new FloodWatch({ read: () => Promise.reject(new Error('no table')), tell: () => undefined });
    open.push(made);
    await made.look();
  });
});

import { deepStrictEqual, ok, strictEqual } from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'vitest';
import { BoundedTable } from './bounded-table.ts';

describe('BoundedTable', () => {
  it('takes the longest unused of an owner that has its share', () => {
    const table = new BoundedTable<string>(100, 2);
    table.set('a', 'phone', 'A');
    table.set('b', 'phone', 'B');
    strictEqual(table.get('a'), 'A');
    deepStrictEqual(table.set('c', 'phone', 'C'), ['B']);
    deepStrictEqual([...table.values()].sort(), ['A', 'C']);
  });

  it('when full takes from whoever has the most', () => {
    const table = new BoundedTable<string>(4, 3);
    table.set('live', 'phone', 'live');
    for (const key of ['x', 'y', 'z']) table.set(key, 'intruder', key);
    deepStrictEqual(table.set('new', 'laptop', 'new'), ['x']);
    strictEqual(table.get('live'), 'live');
  });

  it('keeps both limits, whatever happens', () => {
    const step = fc.record({
      key: fc.nat(40).map(String),
      owner: fc.nat(5).map(String),
      remove: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const table = new BoundedTable<{ key: string; owner: string }>(12, 5);
        for (const { key, owner, remove } of steps) {
          if (remove) table.delete(key);
          else table.set(key, owner, { key, owner });
          const all = [...table.values()];
          strictEqual(all.length, table.size);
          ok(table.size <= 12);
          for (const { owner: one } of all) ok(all.filter((other) => other.owner === one).length <= 5);
          if (!remove) strictEqual(table.get(key)?.owner, owner);
        }
      }),
    );
  });
});

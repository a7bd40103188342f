import { expect, it } from 'vitest';
import { learnMakers, makerOf } from './makers.ts';

it('the maker of a hardware address, from the list of the IEEE', async () => {
  expect(makerOf('b8:27:eb:01:02:03')).toBeUndefined();
  await learnMakers(['b8:27:eb:01:02:03', '02:00:00:00:00:01', 'f4:f2:6d:00:00:00', '00:00:5e:00:53:01']);
  expect(makerOf('b8:27:eb:ff:ff:ff')).toMatch(/^Raspberry Pi/);
  expect(makerOf('f4:f2:6d:aa:aa:aa')).toMatch(/TP-LINK/i);
  // Made up by the device itself.
  expect(makerOf('02:00:00:00:00:01')).toBeNull();
  expect(makerOf(null)).toBeNull();
});

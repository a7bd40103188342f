import { expect, it } from 'vitest';
import { migrate, migrations, type Migration } from './migrations.ts';
import { CONFIG_VERSION } from './schema.ts';

const steps: readonly Migration[] = [
  { from: 2, migrate: ({ lan, ...rest }) => ({ ...rest, lan: [lan] }) },
  { from: 1, migrate: ({ wan_interface: wan, ...rest }) => ({ ...rest, wan }) },
];

it('takes one step after the other, whatever their order', () => {
  expect(migrate({ version: 1, wan_interface: 'eth0', lan: 'eth1' }, steps)).toEqual({
    version: 3,
    wan: 'eth0',
    lan: ['eth1'],
  });
});

it('begins at the version of the value', () => {
  expect(migrate({ version: 2, wan: 'eth0', lan: 'eth1' }, steps)).toEqual({
    version: 3,
    wan: 'eth0',
    lan: ['eth1'],
  });
});

it.each([null, 1, 'version', [], {}, { version: '1' }, { version: 3 }, { version: 4 }])(
  'leaves %j as it is',
  (value) => expect(migrate(value, steps)).toBe(value),
);

it('the steps lead to the version of the schema, one from each version before it', () => {
  expect(migrations.map((step) => step.from)).toEqual(
    Array.from({ length: CONFIG_VERSION - 1 }, (_, index) => index + 1),
  );
});

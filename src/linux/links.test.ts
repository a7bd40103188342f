// Changes links, so it runs in a network namespace of its own:
// THROUGHWAY_NETNS=1 unshare -Urnm --kill-child vitest run src/linux
import { deepStrictEqual, ok, strictEqual } from 'node:assert/strict';
import { execSync } from 'node:child_process';
import { afterAll, beforeAll, describe, it, vi } from 'vitest';
import { type LinkMonitor, type SystemLink, createLinkMonitor, readSystem } from './links.ts';

const ip = (arguments_: string): void => {
  execSync(`ip ${arguments_}`);
};

describe.skipIf(!process.env['THROUGHWAY_NETNS'])('createLinkMonitor', () => {
  let monitor: LinkMonitor;
  let changes = 0;
  const link = (name: string): SystemLink | undefined =>
    monitor.snapshot().find((each) => each.name === name);
  const until = (claim: () => void): Promise<void> => vi.waitFor(claim, { timeout: 3_000, interval: 5 });

  beforeAll(async () => {
    ip('link add follow0 mtu 1492 address 02:00:00:00:0f:01 type veth peer name follow1');
    ip('address add 192.0.2.1/24 dev follow0');
    monitor = await createLinkMonitor({
      onChange: () => (changes += 1),
      onError: (error) => {
        throw error;
      },
    });
  });
  afterAll(() => {
    monitor.close();
  });

  it('knows at once what there is', () => {
    const found = link('follow0')!;
    deepStrictEqual(found, {
      index: found.index,
      name: 'follow0',
      up: false,
      running: false,
      mtu: 1492,
      mac: '02:00:00:00:0f:01',
      kind: 'veth',
      loopback: false,
      masterIndex: null,
      greRemote: null,
      addresses: [
        {
          family: 4,
          address: '192.0.2.1',
          prefixLength: 24,
          scope: 'global',
          secondary: false,
          tentative: false,
          deprecated: false,
        },
      ],
    });
  });

  it('hears of addresses, and keeps the primary one first', async () => {
    ip('link set follow0 up');
    ip('link set follow1 up');
    ip('address add 192.0.2.2/24 dev follow0');
    ip('address add 2001:db8:f::1/64 dev follow0');
    await until(() => {
      const { up, running, addresses } = link('follow0')!;
      deepStrictEqual([up, running], [true, true]);
      const v4 = addresses.filter(({ family }) => family === 4);
      deepStrictEqual(
        v4.map(({ address, secondary }) => [address, secondary]),
        [
          ['192.0.2.1', false],
          ['192.0.2.2', true],
        ],
      );
      ok(addresses.some(({ address }) => address === '2001:db8:f::1'));
    });
    ok(changes > 0);
    // Duplicate address detection ends in silence from the peer, about two seconds later.
    await until(() => {
      const found = link('follow0')!.addresses.find(({ address }) => address === '2001:db8:f::1');
      strictEqual(found?.tentative, false);
    });
  });

  it('hears of a default route, and that it went with its link, which the kernel does not announce', async () => {
    const { index } = link('follow0')!;
    ip('route add default via 192.0.2.254 dev follow0 metric 77');
    const ours = (): unknown[] => monitor.defaultRoutes().filter(({ metric }) => metric === 77);
    await until(() => {
      deepStrictEqual(ours(), [
        { family: 4, table: 254, metric: 77, hops: [{ gateway: '192.0.2.254', index }] },
      ]);
    });
    ip('link set follow0 down');
    await until(() => {
      deepStrictEqual(ours(), []);
      strictEqual(link('follow0')!.up, false);
    });
  });

  it('is not misled by a bridge letting go of its port', async () => {
    ip('link add follow2 type bridge');
    ip('link set follow1 master follow2');
    await until(() => strictEqual(link('follow1')!.masterIndex, link('follow2')!.index));
    ip('link set follow1 nomaster');
    await until(() => strictEqual(link('follow1')!.masterIndex, null));
  });

  it('hears of a new name and of the end of a link', async () => {
    ip('link set follow2 name follow3');
    await until(() => ok(link('follow3') && !link('follow2')));
    ip('link del follow3');
    ip('link del follow0');
    await until(() => ok(!link('follow0') && !link('follow1') && !link('follow3')));
  });

  it('says nothing when nothing changed', async () => {
    ip('link add follow4 type bridge');
    await until(() => ok(link('follow4')));
    const { links } = await readSystem();
    deepStrictEqual(
      links.find(({ name }) => name === 'follow4'),
      link('follow4'),
    );
    ip('link del follow4');
    await until(() => ok(!link('follow4')));
  });
});

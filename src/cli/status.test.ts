import { expect, it } from 'vitest';
import type { Status } from '../daemon/api/types.ts';
import { renderStatus } from './status.ts';

const healthy: Status = {
  version: '1.2.3',
  state: 'ok',
  started_at: '2026-01-02T03:04:05.678Z',
  passthrough: { ipsec: 'enabled', pptp: 'disabled', l2tp: 'enabled' },
  ike_source_port: 'translate',
  wan: { name: 'ppp0', state: 'up', addresses: ['198.51.100.2/32'] },
  lan: [{ name: 'eth1', state: 'up', addresses: ['192.168.1.1/24', 'fd00::1/64'] }],
  nft: 'libnftables',
  problems: [],
  drops: [{ name: 'wan_new', sentence: 'New connections were dropped.', packets: 0, bytes: 0 }],
};

it('a gateway without problems', () => {
  expect(`\n${renderStatus(healthy)}\n`).toBe(`
Throughway 1.2.3, running since 2026-01-02T03:04:05.678Z

IPSec Passthrough    enabled
PPTP Passthrough     disabled
L2TP Passthrough     enabled
IKE source port      translate
WAN                  ppp0 up 198.51.100.2/32
LAN                  eth1 up 192.168.1.1/24 fd00::1/64

No problems.
`);
});

it('a gateway with problems and drops', () => {
  const status: Status = {
    ...healthy,
    state: 'attention',
    passthrough: { ipsec: 'enabled', pptp: 'enabled', l2tp: 'enabled' },
    wan: { name: 'eth0', state: 'missing', addresses: [] },
    lan: [
      { name: 'eth1', state: 'down', addresses: [] },
      { name: 'eth2', state: 'up', addresses: ['10.0.0.1/8'] },
    ],
    problems: ['The WAN interface "eth0" does not exist.', 'The kernel does not forward.'],
    drops: [
      { name: 'wan_new', sentence: 'New connections were dropped.', packets: 1234567, bytes: 7 },
      { name: 'invalid', sentence: 'Never.', packets: 0, bytes: 0 },
      { name: 'ah_refused', sentence: 'AH was refused.', packets: 1, bytes: 7 },
    ],
  };
  expect(`\n${renderStatus(status)}\n`).toBe(`
Throughway 1.2.3, running since 2026-01-02T03:04:05.678Z

IPSec Passthrough    enabled
PPTP Passthrough     enabled  (PPTP is insecure: its data can be read)
L2TP Passthrough     enabled
IKE source port      translate
WAN                  eth0 missing
LAN                  eth1 down
LAN                  eth2 up 10.0.0.1/8

Counted since the table was made:
  1234567  New connections were dropped.
        1  AH was refused.

! The WAN interface "eth0" does not exist.
! The kernel does not forward.
`);
});

import { expect, it } from 'vitest';
import { switchOf, switchOfEntry } from './vpn-flows.ts';

it.each([
  ['IKE', 17, 500, 'ipsec'],
  ['NAT-T', 17, 4500, 'ipsec'],
  ['L2TP', 17, 1701, 'l2tp'],
  ['OpenVPN', 17, 1194, null],
  ['TCP to the port of IKE', 6, 500, null],
  ['PPTP', 6, 1723, 'pptp'],
  ['UDP to the port of PPTP', 17, 1723, null],
  ['TCP to the port of L2TP', 6, 1701, null],
  ['SSTP', 6, 443, null],
  ['GRE of PPTP, whose key is the Call ID', 47, 9, 'pptp'],
  ['GRE without a key', 47, 0, null],
  ['GRE that conntrack knows nothing of', 47, null, null],
  ['ESP', 50, null, 'ipsec'],
  ['AH', 51, null, 'ipsec'],
  ['L2TP version 3 over IP', 115, null, 'l2tp'],
  ['a ping', 1, null, null],
  ['UDP without a port', 17, null, null],
] as const)('%s', (_what, protocol, destinationPort, expected) => {
  expect(switchOf({ protocol, destinationPort })).toBe(expected);
});

it('a flow that an L2TP server began from another port leads to a port 1701', () => {
  const original = { protocol: 17, destinationPort: 40_000 };
  expect(switchOfEntry({ original, reply: { sourcePort: 1701 } })).toBe('l2tp');
  expect(switchOfEntry({ original, reply: { sourcePort: 1702 } })).toBeNull();
  expect(
    switchOfEntry({ original: { protocol: 6, destinationPort: 1723 }, reply: { sourcePort: 1701 } }),
  ).toBe('pptp');
});

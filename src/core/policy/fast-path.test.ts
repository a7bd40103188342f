import { expect, it } from 'vitest';
import { parseInterfaceName, parseIpv4 } from '../address.ts';
import { renderFastPath, sizeFor, type FastPath } from './fast-path.ts';

const device = (text: string) => parseInterfaceName(text)!;
const address = (text: string) => parseIpv4(text)!;
const path: FastPath = {
  wan: device('eth0'),
  lan: [device('eth1'), device('wlan0')],
  wanAddress: address('198.51.100.2'),
  out: [
    {
      exit: { device: device('eth0'), nextHop: address('198.51.100.1') },
      mostBytes: 1400,
      elements: ['192.168.1.11 . 203.0.113.1 . 4097', '192.168.1.12 . 203.0.113.1 . 4098'],
    },
  ],
  in: [
    {
      exit: { device: device('eth1'), nextHop: null },
      mostBytes: null,
      elements: ['203.0.113.1 . 8193 : 192.168.1.11'],
    },
    { exit: { device: device('wlan0'), nextHop: address('192.168.2.9') }, mostBytes: null, elements: [] },
  ],
};
const ordinary = '@nh,48,32 & 0x3fff00ff == 0x32 @nh,0,8 0x45 @nh,64,8 > 1 @th,32,32 & 31 != 1';

it('one rule for each exit, behind the matches that send all but plain ESP the ordinary way', () =>
  expect(renderFastPath(path, { out: [2048], in: [1024, 1024] })).toBe(`table netdev throughway {
	comment "Throughway: busy pairs of ESP; written by the daemon, gone with it"
	flags owner
	set out_0 {
		typeof ip saddr . ip daddr . @th,0,32
		size 2048
		counter
		elements = { 192.168.1.11 . 203.0.113.1 . 4097, 192.168.1.12 . 203.0.113.1 . 4098 }
	}
	map in_0 {
		typeof ip saddr . @th,0,32 : ip daddr
		size 1024
		counter
		elements = { 203.0.113.1 . 8193 : 192.168.1.11 }
	}
	map in_1 {
		typeof ip saddr . @th,0,32 : ip daddr
		size 1024
		counter
	}
	chain from_lan {
		type filter hook ingress devices = { "eth1", "wlan0" } priority filter; policy accept;
		${ordinary} meta length <= 1400 ip saddr . ip daddr . @th,0,32 @out_0 ip saddr set 198.51.100.2 fwd ip to 198.51.100.1 device "eth0" comment "Known and busy: on by eth0"
	}
	chain from_wan {
		type filter hook ingress devices = { "eth0" } priority filter; policy accept;
		${ordinary} ip daddr 198.51.100.2 ip daddr set ip saddr . @th,0,32 map @in_0 fwd ip to ip daddr device "eth1" comment "Known and busy: on by eth1"
		${ordinary} ip daddr 198.51.100.2 ip daddr set ip saddr . @th,0,32 map @in_1 fwd ip to 192.168.2.9 device "wlan0" comment "Known and busy: on by wlan0"
	}
}
`));

it('has room for twice as many pairs, and for some when there are none', () =>
  expect([0, 512, 513, 16_384].map(sizeFor)).toEqual([1024, 1024, 2048, 32_768]));

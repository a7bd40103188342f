// What protocols are called, everywhere the same: on the command line, in events and on the pages.
import type { SessionProtocol } from './session-record.ts';

export const PROTOCOL_NAMES: Readonly<Record<SessionProtocol, string>> = {
  ipsec: 'IPsec',
  'ipsec-nat-t': 'IPsec NAT-T',
  pptp: 'PPTP',
  l2tp: 'L2TP',
  l2tpv3: 'L2TPv3',
  openvpn: 'OpenVPN',
  wireguard: 'WireGuard',
  sstp: 'SSTP',
  softether: 'SoftEther',
  anyconnect: 'AnyConnect',
};

// Every row of the matrix, in its order.
import type { Row, Trial } from '../row.ts';
import { ANYCONNECT_ROWS } from './anyconnect.ts';
import { L2TP_IPSEC_ROWS } from './l2tp-ipsec.ts';
import { LIBRESWAN_ROWS } from './libreswan.ts';
import { L2TP_ROWS } from './l2tp.ts';
import { NAT_TRIALS } from './nat.ts';
import { OPENVPN_ROWS } from './openvpn.ts';
import { PPTP_ROWS } from './pptp.ts';
import { SOFTETHER_ROWS } from './softether.ts';
import { STRONGSWAN_ROWS } from './strongswan.ts';
import { VPNC_ROWS } from './vpnc.ts';
import { WIREGUARD_ROWS } from './wireguard.ts';

export const ROWS: readonly Row[] = [
  ...OPENVPN_ROWS,
  ...WIREGUARD_ROWS,
  ...ANYCONNECT_ROWS,
  ...STRONGSWAN_ROWS,
  ...LIBRESWAN_ROWS,
  ...VPNC_ROWS,
  ...PPTP_ROWS,
  ...L2TP_ROWS,
  ...L2TP_IPSEC_ROWS,
  ...SOFTETHER_ROWS,
];

export const TRIALS: readonly Trial[] = NAT_TRIALS;

// Every row of the matrix, in its order.
import type { Row } from '../row.ts';
import { ANYCONNECT_ROWS } from './anyconnect.ts';
import { OPENVPN_ROWS } from './openvpn.ts';
import { STRONGSWAN_ROWS } from './strongswan.ts';
import { WIREGUARD_ROWS } from './wireguard.ts';

export const ROWS: readonly Row[] = [
  ...OPENVPN_ROWS,
  ...WIREGUARD_ROWS,
  ...ANYCONNECT_ROWS,
  ...STRONGSWAN_ROWS,
];

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseLeases, type LeaseFormat } from './leases.ts';

const phone = { address: '192.168.1.11', mac: '02:00:00:00:00:01', name: 'phone' };
const unnamed = { address: '192.168.1.12', mac: '02:00:00:00:00:02', name: null };

// As the programs write them: dnsmasq 2.90, Kea 2.2, ISC dhcpd 4.4, systemd 256.
const files: Record<LeaseFormat, string> = {
  dnsmasq: `1700000000 02:00:00:00:00:01 192.168.1.11 phone 01:02:00:00:00:00:01
1700000000 02:00:00:00:00:02 192.168.1.12 * *
duid 00:01:00:01:2b:2b:2b:2b:02:00:00:00:00:01
`,
  kea: `address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context,pool_id
192.168.1.11,02:00:00:00:00:01,,4000,1700000000,1,0,0,old,0,,0
192.168.1.11,02:00:00:00:00:01,,4000,1700000000,1,0,0,phone,0,,0
192.168.1.12,02:00:00:00:00:02,,4000,1700000000,1,0,0,,0,,0
192.168.1.13,02:00:00:00:00:03,,4000,1700000000,1,0,0,gone,2,,0
`,
  dhcpd: `# The format of this file is documented in the dhcpd.leases(5) manual page.
lease 192.168.1.11 {
  starts 2 2026/11/23 10:00:00;
  binding state active;
  hardware ethernet 02:00:00:00:00:01;
  client-hostname "phone";
}
lease 192.168.1.12 {
  hardware ethernet 02:00:00:00:00:02;
}
`,
  networkd: JSON.stringify({
    Address: [192, 168, 1, 1],
    PrefixLength: 24,
    Leases: [
      { Address: [192, 168, 1, 11], Hostname: 'phone', HardwareAddress: [2, 0, 0, 0, 0, 1] },
      { Address: [192, 168, 1, 12], HardwareAddress: [2, 0, 0, 0, 0, 2] },
      { Address: [1, 2] },
    ],
  }),
};

describe.each(Object.entries(files) as [LeaseFormat, string][])('leases of %s', (format, text) => {
  it('have addresses, hardware addresses and names', () => {
    expect(parseLeases(format, text)).toEqual([phone, unnamed]);
  });

  it('are read from any text, without a fault', () => {
    const damaged = fc
      .tuple(fc.nat(text.length), fc.nat(20), fc.string())
      .map(([at, length, noise]) => text.slice(0, at) + noise + text.slice(at + length));
    fc.assert(
      fc.property(fc.oneof(fc.string(), damaged), (any) => {
        for (const { address, name } of parseLeases(format, any)) {
          expect(address).toMatch(/^[0-9a-f.:]+$/);
          // oxlint-disable-next-line no-control-regex
          expect(name ?? '').not.toMatch(/[\u0000-\u001f\u007f<>&]/);
        }
      }),
    );
  });
});

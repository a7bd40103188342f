// What this network namespace tells in /proc/net, as values: the ARP table, the IPv4 routes of the main
// table, UDP sockets and the IP statistics. Lines that cannot be read are left out. proc(5).
import { readFileSync } from 'node:fs';
import { parseIpv4, type Ipv4Address } from '../core/address.ts';

function lines(name: string): string[] {
  try {
    return readFileSync(`/proc/net/${name}`, 'utf8').trimEnd().split('\n');
  } catch {
    return [];
  }
}

export interface ArpEntry {
  readonly address: Ipv4Address;
  readonly mac: string;
  readonly interfaceName: string;
}

/** The entries that are complete. */
export function readArpTable(): ArpEntry[] {
  const COMPLETE = 0x2;
  return lines('arp')
    .slice(1)
    .flatMap((line) => {
      const [text = '', , flags = '0', mac = '', , interfaceName = ''] = line.split(/\s+/);
      const address = parseIpv4(text);
      return address !== null && (Number(flags) & COMPLETE) !== 0 ? [{ address, mac, interfaceName }] : [];
    });
}

/** The routes that are up and not the default one, as `192.168.1.0/24`. */
export function readRoutes(): { prefix: string; interfaceName: string }[] {
  const UP = 0x1;
  return lines('route')
    .slice(1)
    .flatMap((line) => {
      const [interfaceName = '', destination = '', , flags = '0', , , , mask = ''] = line.split('\t');
      const bits = Number.parseInt(mask, 16).toString(2).replaceAll('0', '').length;
      if ((Number.parseInt(flags, 16) & UP) === 0 || bits === 0) return [];
      const octets =
        destination
          .match(/../g)
          ?.map((pair) => Number.parseInt(pair, 16))
          .toReversed() ?? [];
      return [{ prefix: `${octets.join('.')}/${bits}`, interfaceName }];
    });
}

/** Those of `ports` where a UDP socket of this namespace is bound, over either family. */
export function boundUdpPorts(ports: readonly number[]): number[] {
  const bound = new Set(
    ['udp', 'udp6'].flatMap((name) =>
      lines(name)
        .slice(1)
        .map((line) => Number.parseInt(line.trim().split(/\s+/)[1]?.split(':').at(-1) ?? '', 16)),
    ),
  );
  return ports.filter((port) => bound.has(port));
}

/** A counter of the group `Ip` of /proc/net/snmp, 0 where this kernel has none of the name. */
export function readIpStatistic(name: string): number {
  const [names, values] = lines('snmp').filter((line) => line.startsWith('Ip:'));
  const index = names?.split(' ').indexOf(name) ?? -1;
  return index < 0 ? 0 : Number(values?.split(' ')[index] ?? 0);
}

/** Whether iptables-legacy has tables here, which nft does not see; whether they have rules is not told. */
export function hasLegacyRules(): boolean {
  return lines('ip_tables_names').some((name) => name !== '');
}

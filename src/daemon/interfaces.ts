// The WAN and LAN interfaces as `status` shows them, and what is wrong with one, as a sentence.
import { parseIpv4, type Ipv4Address } from '../core/address.ts';
import type { SystemLink } from '../linux/links.ts';
import type { InterfaceStatus } from './status.ts';

export function describeInterface(links: readonly SystemLink[], name: string): InterfaceStatus {
  const link = links.find((one) => one.name === name);
  return {
    name,
    state: link === undefined ? 'missing' : link.up && link.running ? 'up' : 'down',
    addresses: (link?.addresses ?? [])
      .filter((one) => one.scope !== 'link')
      .map((one) => `${one.address}/${one.prefixLength}`),
  };
}

/** The first IPv4 address with its prefix length, or null. */
export function ipv4Prefix({ addresses }: InterfaceStatus): string | null {
  return addresses.find((one) => parseIpv4(one.split('/')[0]!) !== null) ?? null;
}

/** What keeps the interface from doing its part, or null when it can. */
export function interfaceTrouble(role: 'WAN' | 'LAN', status: InterfaceStatus): string | null {
  const interfaceName = `The ${role} interface "${status.name}"`;
  if (status.state === 'missing') {
    return `${interfaceName} does not exist. Plug it in, or correct the configuration; "ip -brief link" lists what there is.`;
  }
  if (status.state === 'down') {
    return `${interfaceName} is down. Check its cable, or bring it up: ip link set ${status.name} up`;
  }
  if (ipv4Prefix(status) === null) {
    const remedy =
      role === 'WAN'
        ? 'Check the DHCP client or the PPP connection.'
        : 'Give it one in the network configuration.';
    return `${interfaceName} has no IPv4 address, so no device gets through. ${remedy}`;
  }
  return null;
}

/** What masquerade takes too: the first global address that is not a secondary one (inet_select_addr). */
export function globalIpv4(link: SystemLink): Ipv4Address | null {
  const found = link.addresses.find(
    (one) => one.family === 4 && one.scope === 'global' && !one.secondary && !one.tentative,
  );
  return found ? parseIpv4(found.address) : null;
}

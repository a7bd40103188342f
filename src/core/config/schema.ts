// The one schema of the configuration: it feeds the file, the API, the command line and the manual,
// so every setting carries its title, description, default and unit here and nowhere else.
// Knows no YAML and no file; see document.ts for those.
import { z } from 'zod';
import { parseInterfaceName, parseIpv4, parseIpv6, type InterfaceName } from '../address.ts';

export const CONFIG_VERSION = 1;

export { PROTOCOLS, type Protocol } from './protocols.ts';

const interfaceName = z
  .string()
  .refine((text) => parseInterfaceName(text) !== null, {
    error: `the name of a network interface is 1 to 15 letters, digits and signs, without spaces, quotes and "/", ":", "*" or "\\"`,
  })
  .meta({ hint: 'Run "ip -brief link", which lists the interfaces of this machine' }) as unknown as z.ZodType<
  InterfaceName,
  string
>;

const onOff = (title: string, description: string, fallback: 'enabled' | 'disabled' = 'enabled') =>
  z.enum(['enabled', 'disabled']).default(fallback).meta({ title, description });

const seconds = (title: string, description: string, fallback: number, least: number, most: number) =>
  z.int().min(least).max(most).default(fallback).meta({ title, description, unit: 'seconds' });

const service = z
  .string()
  .refine(isService, {
    error: 'a service is written as "tcp/PORT" or "udp/PORT" with a port from 1 to 65535, such as "tcp/22"',
  })
  .meta({ hint: 'Write one entry for each port' });

function isService(text: string): boolean {
  const match = /^(tcp|udp)\/([1-9]\d{0,4})$/.exec(text);
  return match !== null && Number(match[2]) <= 65_535;
}

const listenAddress = z
  .string()
  .refine(isListenAddress, {
    error:
      'an address to listen on is written as "ADDRESS:PORT", such as "192.168.1.1:80" or "[fd00::1]:80", or as "lan:PORT" for all addresses of the LAN interfaces',
  })
  .meta({ hint: 'Write "lan" or an address of this machine, and a port from 1 to 65535' });

function isListenAddress(text: string): boolean {
  return parseListenAddress(text) !== null;
}

/** Null for what is no such text; the host is an address, or `lan` for all addresses of the LAN interfaces. */
export function parseListenAddress(text: string): { host: string; port: number } | null {
  const match = /^(?:\[(?<v6>[^\]]*)\]|(?<v4>[^:]*)):(?<port>[1-9]\d{0,4})$/.exec(text);
  if (!match || Number(match.groups!['port']) > 65_535) return null;
  const { v4, v6, port } = match.groups!;
  const host = v6 === undefined ? (v4 === 'lan' ? v4 : parseIpv4(v4!)) : parseIpv6(v6);
  return host === null ? null : { host, port: Number(port) };
}

/** RFC 1123 2.1; compared without regard to case. */
const hostName = z
  .string()
  .regex(/^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,62})?(\.[a-z0-9]([a-z0-9-]{0,62})?)*$/i, {
    error: 'a name has letters, digits and "-", with dots between its parts, such as "gateway.example.org"',
  })
  .meta({ hint: 'Write the name that is typed into the browser' });

const proxyAddress = z
  .string()
  .refine((text) => parseIpv4(text) !== null || parseIpv6(text) !== null, {
    error: 'a proxy is named by its address, such as "192.168.1.5" or "fd00::5"',
  })
  .meta({ hint: 'Write one entry for each address' });

/** The switches of VPN passthrough, which `GET` and `PUT /api/v1/passthrough` carry. */
export const passthroughSchema = z
  .strictObject({
    ipsec: onOff(
      'IPSec Passthrough',
      'IKE (UDP 500 and 4500), ESP and AH, and so also IKEv2 and L2TP over IPsec.',
    ),
    pptp: onOff(
      'PPTP Passthrough',
      'PPTP control (TCP 1723) and its GRE tunnels. PPTP is insecure: its encryption is broken and its data can be read.',
    ),
    l2tp: onOff(
      'L2TP Passthrough',
      'L2TP without IPsec (UDP 1701, and IP protocol 115 for L2TPv3). L2TP inside IPsec is governed by IPSec Passthrough.',
    ),
  })
  .meta({ title: 'VPN Passthrough', description: 'Which VPN protocols of the LAN devices may pass.' });

export const configSchema = z
  .strictObject({
    version: z.literal(CONFIG_VERSION).meta({
      title: 'Version',
      description: 'The version of this file format.',
    }),
    interfaces: z
      .strictObject({
        wan: interfaceName.meta({
          title: 'WAN interface',
          description: 'The interface towards the internet, such as eth0 or ppp0.',
        }),
        lan: z.array(interfaceName).min(1, { error: 'at least one LAN interface is needed' }).max(64).meta({
          title: 'LAN interfaces',
          description: 'The interfaces behind which the devices are.',
        }),
      })
      .meta({ title: 'Interfaces', description: 'The two sides of the gateway.' }),
    passthrough: passthroughSchema.prefault({}),
    ike: z
      .strictObject({
        source_port: z.enum(['translate', 'preserve']).default('translate').meta({
          title: 'IKE source port',
          description:
            'translate: the second device to one server gets another source port. preserve: all keep source port 500 and are told apart by their initiator cookies, for servers that insist on port 500.',
        }),
      })
      .prefault({})
      .meta({ title: 'IKE', description: 'How IKE on UDP 500 is translated.' }),
    timeouts: z
      .strictObject({
        vpn_udp_seconds: seconds(
          'Idle VPN over UDP',
          'How long an idle UDP flow of IKE, NAT-T or L2TP is kept once it was answered (RFC 4787 REQ-5 asks for at least 120, better 300).',
          330,
          120,
          86_400,
        ),
        udp_seconds: seconds(
          'Idle UDP',
          'How long any other idle UDP flow is kept once it was answered.',
          300,
          120,
          86_400,
        ),
        tcp_established_seconds: seconds(
          'Idle TCP',
          'How long an idle TCP connection is kept (RFC 5382 REQ-5 asks for at least 7440).',
          7440,
          7440,
          432_000,
        ),
        esp_seconds: seconds(
          'Idle ESP',
          'How long the pairing of an idle ESP security association is kept.',
          3600,
          60,
          86_400,
        ),
      })
      .prefault({})
      .meta({ title: 'Timeouts', description: 'How long idle connections are remembered.' }),
    firewall: z
      .strictObject({
        wan_ping: z.boolean().default(true).meta({
          title: 'Answer pings from the WAN',
          description: 'Whether the gateway itself answers ICMP echo requests from the internet.',
        }),
        wan_services: z.array(service).max(64).default([]).meta({
          title: 'Services open to the WAN',
          description:
            'Ports of the gateway itself that may be reached from the internet, such as "tcp/22" for a remote shell. Everything else is dropped.',
        }),
      })
      .prefault({})
      .meta({ title: 'Firewall', description: 'What of the gateway itself can be reached from the WAN.' }),
    names: z
      .strictObject({
        mdns: onOff(
          'Names by mDNS',
          'Whether devices that have no name are asked for it by multicast DNS (UDP 5353) on the LAN. Phones, printers and computers answer.',
        ),
        reverse_dns: onOff(
          'Names by reverse DNS',
          "Whether the DNS servers of this machine are asked for the names of the LAN's private addresses.",
        ),
        server_names: onOff(
          'Names of VPN servers',
          'Whether the DNS servers of this machine are asked for the names of VPN servers. Whoever runs them then learns to which servers the devices connect.',
          'disabled',
        ),
      })
      .prefault({})
      .meta({ title: 'Names', description: 'Where the names of devices and servers come from.' }),
    web: z
      .strictObject({
        listen: z.array(listenAddress).max(16).default(['lan:80']).meta({
          title: 'Addresses of the web page',
          description:
            'Where the page and the API are served over HTTP. "lan:80" is port 80 of every address of the LAN interfaces, also when these change. An empty list: nowhere.',
        }),
        tls_listen: z.array(listenAddress).max(16).default(['lan:443']).meta({
          title: 'Addresses of the web page with TLS',
          description:
            'The same over HTTPS, with a certificate of your own or one that the daemon makes itself.',
        }),
        names: z.array(hostName).max(16).default([]).meta({
          title: 'Names of the gateway',
          description:
            "The names under which the page is opened, besides its addresses and the machine's own name. Requests for other names are refused, so that no foreign page can reach the gateway through a name of its own (DNS rebinding).",
        }),
        trusted_proxies: z.array(proxyAddress).max(16).default([]).meta({
          title: 'Trusted proxies',
          description:
            'Addresses of reverse proxies whose X-Forwarded-For, -Host and -Proto headers are believed.',
        }),
        idle_minutes: z.int().min(5).max(1440).default(60).meta({
          title: 'Idle log-ins',
          description: 'After how long without a request somebody must log in again.',
          unit: 'minutes',
        }),
        metrics: onOff(
          'Metrics',
          'Whether /metrics answers to Prometheus, which needs a token of either scope.',
          'disabled',
        ),
      })
      .prefault({})
      .meta({ title: 'Web', description: 'The web page and the API.' }),
  })
  .meta({ title: 'Throughway', description: 'The configuration of the VPN passthrough gateway.' });

export type Config = z.output<typeof configSchema>;
export type Passthrough = z.output<typeof passthroughSchema>;

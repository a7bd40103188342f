import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../core/config/document.ts';
import { planSetup, proposeSides, remoteShellService, type Choices } from './plan.ts';
import type { SurveyedLink } from './links.ts';
import { parseSshConnection, type Survey } from './survey.ts';

function link(name: string, addresses: string[] = [], rest: Partial<SurveyedLink> = {}): SurveyedLink {
  return { name, kind: null, up: true, isLoopback: false, isPort: false, addresses, ...rest };
}

const machine: Survey = {
  links: [
    link('lo', ['127.0.0.1/8'], { isLoopback: true }),
    link('eth0', ['198.51.100.2/24']),
    link('eth1', ['192.168.1.1/24']),
  ],
  routed: ['eth0'],
  remoteShell: null,
  otherTables: [],
  missing: [],
  changedSysctls: () => [],
  hasSystemd: true,
  hasDnsmasq: true,
};
const choices: Choices = { wan: 'eth0', lan: ['eth1'], wanServices: [], dnsmasq: false };

describe('what is proposed', () => {
  it('is the default route as WAN and the private network as LAN', () => {
    expect(proposeSides(machine)).toEqual({ wan: 'eth0', lan: ['eth1'] });
  });

  it('is the one other interface, though it has no address yet', () => {
    expect(proposeSides({ ...machine, links: [link('eth0'), link('eth1')] })).toEqual({
      wan: 'eth0',
      lan: ['eth1'],
    });
  });

  it('is nothing where nothing stands out', () => {
    expect(proposeSides({ ...machine, routed: [], links: [link('eth0'), link('eth1')] })).toEqual({
      wan: null,
      lan: [],
    });
  });

  it('leaves out ports of bridges, tunnels and what container engines make', () => {
    const links = [
      link('eth0', ['100.64.0.7/10']),
      link('eth1', [], { isPort: true }),
      link('br0', ['10.0.0.1/8'], { kind: 'bridge' }),
      link('docker0', ['172.17.0.1/16'], { kind: 'bridge' }),
      link('br-0123456789ab', ['172.18.0.1/16'], { kind: 'bridge' }),
      link('wg0', ['10.8.0.1/24'], { kind: 'wireguard' }),
    ];
    expect(proposeSides({ ...machine, links })).toEqual({ wan: 'eth0', lan: ['br0'] });
  });
});

describe('the plan', () => {
  it('is a configuration in order, as the choices are', () => {
    const { config, problems, warnings, dnsmasq } = planSetup(machine, {
      ...choices,
      wanServices: ['tcp/22'],
    });
    expect([problems, warnings, dnsmasq]).toEqual([[], [], null]);
    expect(parseConfig(config)).toMatchObject({
      config: { interfaces: { wan: 'eth0', lan: ['eth1'] }, firewall: { wan_services: ['tcp/22'] } },
    });
  });

  it('names what keeps it from being applied, all at once', () => {
    const survey = { ...machine, missing: ['NAT is missing.'], hasDnsmasq: false };
    const { problems } = planSetup(survey, {
      wan: 'eth0',
      lan: ['eth0', 'eth7'],
      wanServices: ['22'],
      dnsmasq: true,
    });
    expect(problems.join('\n')).toMatch(/"eth0" is the WAN interface and cannot be a LAN interface too/);
    expect(problems.join('\n')).toMatch(/"22" is not allowed: a service is written as/);
    expect(problems).toContain('"eth7" is no interface of this machine; there are lo, eth0, eth1.');
    expect(problems).toContain('This kernel cannot carry the gateway. NAT is missing.');
    expect(problems).toContain('dnsmasq is not installed. Install it first: apt-get install dnsmasq');
  });

  it('gives the devices addresses from the network of the LAN', () => {
    const range = (prefix: string): string | undefined => {
      const survey = { ...machine, links: [link('eth0'), link('eth1', [prefix])] };
      return /dhcp-range=(.*)/.exec(planSetup(survey, { ...choices, dnsmasq: true }).dnsmasq ?? '')?.[1];
    };
    expect(range('192.168.1.1/24')).toBe('192.168.1.100,192.168.1.199,255.255.255.0,12h');
    expect(range('10.20.30.1/8')).toBe('10.20.30.100,10.20.30.199,255.0.0.0,12h');
    expect(range('192.168.5.129/28')).toBe('192.168.5.136,192.168.5.142,255.255.255.240,12h');
    expect(range('192.168.5.1/30')).toBeUndefined();
  });

  it('warns of a LAN without an address, of a cable, and of a port of a bridge', () => {
    const links = [
      link('eth0', ['198.51.100.2/24']),
      link('eth1', ['fd00::1/64'], { up: false, isPort: true }),
    ];
    const { warnings } = planSetup({ ...machine, links }, choices);
    expect(warnings).toHaveLength(3);
    expect(warnings.join(' ')).toMatch(
      /"eth1" is down.*"eth1" has no IPv4 address.*"eth1" is a port of a bridge/,
    );
  });

  it('warns of a firewall that drops', () => {
    const otherTables = [
      {
        chain: {
          family: 'inet',
          table: 'mine',
          name: 'f',
          type: 'filter',
          hook: 'forward',
          prio: 0,
          policy: 'drop',
        },
      },
    ];
    expect(planSetup({ ...machine, otherTables }, choices).warnings[0]).toMatch(
      /The policy "drop" of chain "f" of table "inet mine", which is not ours, drops/,
    );
  });
});

describe('a remote shell', () => {
  const from = (address: string): Survey => ({ ...machine, remoteShell: { address, port: 2222 } });

  it('from the WAN is noticed, and kept or given up with a word', () => {
    expect(remoteShellService(from('198.51.100.2'), 'eth0')).toBe('tcp/2222');
    expect(planSetup(from('198.51.100.2'), choices).warnings[0]).toMatch(/which the gateway will refuse/);
    expect(planSetup(from('198.51.100.2'), { ...choices, wanServices: ['tcp/2222'] }).warnings[0]).toMatch(
      /stays open there/,
    );
  });

  it('from the LAN is no concern', () => {
    expect(remoteShellService(from('192.168.1.1'), 'eth0')).toBeNull();
    expect(planSetup(from('192.168.1.1'), choices).warnings).toEqual([]);
  });

  it.each([
    ['192.0.2.9 50000 198.51.100.2 22', { address: '198.51.100.2', port: 22 }],
    ['::1 50000 ::ffff:198.51.100.2 22', { address: '198.51.100.2', port: 22 }],
    ['2001:db8::9 50000 2001:db8::2 22', { address: '2001:db8::2', port: 22 }],
    ['', null],
    ['192.0.2.9 50000 somewhere 22', null],
    ['192.0.2.9 50000 198.51.100.2', null],
  ])('is read from SSH_CONNECTION "%s"', (text, shell) => expect(parseSshConnection(text)).toEqual(shell));
});

// Sessions, devices and events by the thousand, the same each time, in every state and protocol.
import type {
  Device,
  GatewayEvent,
  Session,
  SessionStory,
  TrafficHistory,
} from '../../src/daemon/api/session.ts';

const PROTOCOLS = [
  'ipsec-nat-t',
  'ipsec',
  'openvpn',
  'wireguard',
  'l2tp',
  'pptp',
  'anyconnect',
  'sstp',
  'softether',
] as const;
const STATES = ['up', 'up', 'up', 'idle', 'negotiating', 'up', 'failing', 'ended', 'blocked', 'up'] as const;
const NAMES = [
  'anna-laptop',
  'workshop-pc',
  'Pixel 9',
  'iPad Mini',
  'thermostat',
  'build-server',
  null,
  'tv',
];
const SERVERS = [
  'vpn.example.com',
  'gate.university.example',
  null,
  'office.example.net',
  'sg-03.vpn.example',
];
const TROUBLE: Partial<Record<Session['state'], string>> = {
  failing: 'The server answers, but nothing that it sends reaches the device: its address has changed since.',
  blocked: 'PPTP Passthrough is disabled, so the connection was refused.',
};

export function makeSession(index: number, now: number): Session {
  const state = STATES[index % STATES.length]!;
  const protocol = state === 'blocked' ? 'pptp' : PROTOCOLS[(index * 7) % PROTOCOLS.length]!;
  const device = index % 97;
  const age = ((index * 7919) % 86_400) * 1000;
  const bytes = ((index * 2_654_435_761) % 4_000_000_000) >>> (index % 12);
  const at = (ago: number): string => new Date(now - ago).toISOString();
  return {
    id: `s${index}`,
    device: {
      id: `d${device}`,
      name: NAMES[device % NAMES.length] ?? null,
      address: `192.168.${1 + Math.floor(device / 250)}.${10 + (device % 240)}`,
      mac: `52:54:00:00:${(device >> 4).toString(16).padStart(2, '0')}:${(device & 255).toString(16).padStart(2, '0')}`,
    },
    protocol,
    guessed: protocol === 'sstp' || protocol === 'softether',
    server: {
      address: `203.0.113.${1 + (index % 200)}`,
      name: SERVERS[index % SERVERS.length] ?? null,
      port: protocol === 'ipsec' ? null : 4500,
    },
    state,
    since: at(age + 5000),
    ended_at: state === 'ended' ? at(age / 2) : null,
    last_packet: { out: at(age % 60_000), in: at(age % 45_000) },
    traffic: { out: { packets: bytes >> 9, bytes }, in: { packets: bytes >> 8, bytes: bytes * 3 } },
    expires_in_seconds: state === 'ended' ? null : 300 - (index % 250),
    details: [
      { name: 'outbound SPI', value: `0x${(0xc0000000 + index).toString(16)}` },
      { name: 'inbound SPI', value: `0x${(0xa0000000 + index).toString(16)}` },
      { name: 'initiator cookie', value: '1f0c55a3e2b0a977' },
    ],
    pairing: protocol === 'ipsec' ? (['certain', 'probable', 'ambiguous'] as const)[index % 3]! : null,
    trouble: TROUBLE[state] ?? null,
  };
}

export function makeSessions(count: number, now: number): Session[] {
  return Array.from({ length: count }, (_, index) => makeSession(index, now));
}

export function makeStory(session: Session, now: number): SessionStory {
  const at = (ago: number): string => new Date(now - ago).toISOString();
  return {
    ...session,
    pairs: [
      {
        spi: '0xa0000001',
        confidence: 'certain',
        evidence: 'The only device with an exchange under way with 203.0.113.1 when the SPI appeared.',
        since: at(90_000),
      },
    ],
    history: [
      { at: at(95_000), what: 'IKE_SA_INIT from 192.168.1.11 to 203.0.113.1.' },
      { at: at(94_000), what: 'IKE_AUTH answered: the security association stands.' },
      { at: at(90_000), what: 'Inbound SPI 0xa0000001 paired with 192.168.1.11, certain.' },
    ],
  };
}

export function makeDevices(now: number): Device[] {
  return Array.from({ length: 12 }, (_, index) => {
    const { device } = makeSession(index, now);
    const at = (ago: number): string => new Date(now - ago).toISOString();
    return {
      id: device.id,
      address: device.address,
      addresses: [device.address, `2001:db8:1::${10 + index}`],
      mac: device.mac,
      maker: ['Intel Corporate', 'Apple', null, 'Raspberry Pi'][index % 4] ?? null,
      name: device.name,
      given_name: index === 1 ? device.name : null,
      name_source: index === 1 ? 'given' : device.name ? 'dhcp' : null,
      first_seen: at(40 * 86_400_000),
      last_seen: at(index * 400_000),
      sessions: Math.max(0, 5 - index),
      used: PROTOCOLS.slice(index % 4, (index % 4) + 3).map((protocol, step) => ({
        protocol,
        last: at((step * 5 + index) * 3_600_000),
      })),
    };
  });
}

export function makeEvents(count: number, now: number): GatewayEvent[] {
  const texts = [
    ['session', 'info', 'anna-laptop opened IPsec to vpn.example.com.'],
    ['switch', 'info', 'PPTP Passthrough was disabled by admin; 2 connections ended.'],
    ['drop', 'warn', '1,204 ESP packets from 203.0.113.9 with made-up SPIs were dropped.'],
    ['login', 'warn', 'Log-in as "admin" from 192.168.1.40 was refused: wrong password.'],
    ['config', 'info', 'The configuration was changed by admin: timeouts.esp_seconds 3600 to 7200.'],
    ['system', 'error', 'The interface "wan0" has lost its address.'],
  ] as const;
  return Array.from({ length: count }, (_, index) => {
    const [kind, level, what] = texts[index % texts.length]!;
    return {
      id: count - index,
      at: new Date(now - index * 41_000).toISOString(),
      kind,
      level,
      what,
      session: kind === 'session' ? `s${index}` : null,
      device: null,
    };
  });
}

export function makeTraffic(span: 'hour' | 'day', now: number): TrafficHistory {
  const steps = span === 'hour' ? 360 : 288;
  const wave = (seed: number, scale: number): number[] =>
    Array.from({ length: steps }, (_, index) =>
      Math.round(
        scale * (1 + Math.sin((index + seed * 40) / 23) * 0.6 + Math.sin((index * seed) / 5) * 0.25),
      ),
    );
  return {
    span,
    step_seconds: span === 'hour' ? 10 : 300,
    until: new Date(now).toISOString(),
    series: [
      { protocol: 'ipsec-nat-t', out: wave(1, 1_500_000), in: wave(2, 9_000_000) },
      { protocol: 'wireguard', out: wave(3, 700_000), in: wave(4, 4_000_000) },
      { protocol: 'pptp', out: wave(5, 90_000), in: wave(6, 250_000) },
    ],
  };
}

import { describe, expect, it } from 'vitest';
import type { Ipv4Address } from '../address.ts';
import type { SessionRecord } from '../alg/session-record.ts';
import { connectionFindings, type Connections, type Reach } from './connection-causes.ts';

const NOW = 1_000_000;
const LONG_AGO = NOW - 30_000;

let nextId = 1;
function session(change: Partial<SessionRecord> = {}): SessionRecord {
  const id = nextId++;
  return {
    id,
    key: `k${id}`,
    protocol: 'ipsec-nat-t',
    guessed: false,
    client: '192.168.1.11' as Ipv4Address,
    server: '203.0.113.1' as Ipv4Address,
    serverPort: 500,
    serverName: null,
    since: LONG_AGO,
    endedAt: null,
    state: 'failing',
    trouble: null,
    phase: 'opening',
    refusal: null,
    warning: null,
    restarts: 0,
    lastOut: NOW,
    lastIn: null,
    silence: { since: LONG_AGO, packets: 5, bytes: 2_000 },
    espSilence: null,
    flows: [],
    sas: [],
    tunnels: [],
    past: { out: { packets: 0, bytes: 0 }, in: { packets: 0, bytes: 0 } },
    details: {},
    aliases: [],
    ...change,
  };
}

const reached = (verdicts: Reach['verdicts'], ping: Reach['ping'] = null): Reach => ({
  server: '203.0.113.1',
  verdicts,
  details: {},
  ping,
});

function causes(sessions: SessionRecord[], reach: Reach[] = []): string[] {
  const connections: Connections = {
    now: NOW,
    sessions,
    reach,
    isBehindNat: false,
    nameOf: (one) => `laptop (${one.client})`,
  };
  return connectionFindings(connections).map(({ cause }) => cause);
}

describe('a device asks and hears nothing', () => {
  it.each([
    ['nothing answers', reached({ ikev2: 'silent', sstp: 'silent' }), 'server-silent'],
    [
      'the server is there',
      reached({ ikev2: 'silent' }, { large: 'answered', bytes: 1500 }),
      'protocol-blocked',
    ],
    ['the gateway is answered', reached({ ikev2: 'answered' }), 'protocol-blocked'],
    ['only SSTP is answered', reached({ ikev2: 'silent', sstp: 'answered' }), 'other-protocol'],
    ['the port is shut', reached({ ikev2: 'closed' }), 'other-protocol'],
    ['a port of something else is shut', reached({ ikev2: 'silent', pptp: 'closed' }), 'server-silent'],
    ['only source port 500', reached({ ikev2: 'silent', 'ikev2-source-500': 'answered' }), 'source-port-500'],
  ])('%s', (_what, reach, cause) => expect(causes([session()], [reach])).toEqual([cause]));

  it('the server has a private address, which only another NAT could reach', () => {
    const inside = session({ server: '10.8.0.1' as Ipv4Address });
    expect(causes([inside])).toEqual(['server-private']);
    const connections = { now: NOW, sessions: [inside], reach: [], nameOf: () => 'laptop' };
    expect(connectionFindings({ ...connections, isBehindNat: true })[0]!.cause).toBe('server-silent');
  });

  it('several servers of one protocol are silent', () => {
    const other = session({ server: '203.0.113.2' as Ipv4Address });
    expect(causes([session(), other])).toEqual(['provider-blocks', 'provider-blocks']);
    const spoken = reached({ ikev2: 'silent', sstp: 'answered' });
    expect(causes([session(), other], [spoken])).toEqual(['provider-blocks', 'provider-blocks']);
    const third = session({
      server: '203.0.113.3' as Ipv4Address,
      phase: 'open',
      state: 'up',
      lastIn: NOW,
      silence: null,
    });
    expect(causes([session(), other, third])).toEqual(['server-silent', 'server-silent']);
  });

  it('another device of the same server is answered', () => {
    const rival = session({
      client: '192.168.1.12' as Ipv4Address,
      phase: 'open',
      state: 'up',
      silence: null,
    });
    expect(causes([session(), rival])).toEqual(['source-port-500']);
  });

  it('stops after the first answer', () => {
    expect(causes([session({ details: { 'responder SPI': '77' } })])).toEqual(['ike-fragments-lost']);
  });

  it('is given time first', () => {
    expect(
      causes([session({ state: 'negotiating', silence: { since: NOW - 3000, packets: 2, bytes: 800 } })]),
    ).toEqual([]);
  });
});

describe('it is agreed and the data does not flow', () => {
  const open = (change: Partial<SessionRecord>): SessionRecord =>
    session({ phase: 'open', lastIn: LONG_AGO, ...change });

  it.each([
    ['ESP', open({ protocol: 'ipsec', espSilence: { since: LONG_AGO, packets: 9 } }), 'esp-one-way'],
    ['no ESP at all', open({ protocol: 'ipsec', state: 'up', silence: null }), 'no-esp'],
    ['GRE', open({ protocol: 'pptp' }), 'gre-lost'],
  ])('%s', (_what, one, cause) => expect(causes([one])).toEqual([cause]));

  it('two devices with IKEv1 at one server', () => {
    const l2tp = { 'IKE version': '1' };
    const other = open({ client: '192.168.1.12' as Ipv4Address, state: 'up', details: l2tp });
    expect(causes([open({ details: l2tp }), other])).toEqual(['transport-mode-limit']);
    expect(causes([open({ details: l2tp })])).toEqual([]);
  });

  it.each(['ipsec-nat-t', 'l2tp', 'openvpn', 'wireguard'] as const)(
    '%s is dead since it was idle, with the figure',
    (protocol) => {
      const idle = open({ protocol, lastIn: LONG_AGO - 95_000 });
      const [found] = connectionFindings({
        now: NOW,
        sessions: [idle],
        reach: [],
        isBehindNat: false,
        nameOf: () => 'laptop',
      });
      expect(found).toMatchObject({ cause: 'idle-expired' });
      expect(found!.what).toContain('idle for 95 seconds');
      expect(causes([open({ protocol, lastIn: LONG_AGO - 20_000 })])).toEqual([]);
    },
  );

  it('large packets vanish', () => {
    const up = open({ state: 'up', silence: null });
    expect(causes([up], [reached({}, { large: 'lost', bytes: 1500 })])).toEqual(['too-large']);
    expect(causes([up], [reached({}, { large: 'refused', bytes: 1500 })])).toEqual([]);
  });
});

it('a refusal is told in the words of the session, and names the device', () => {
  const refused = session({
    phase: 'refused',
    refusal: 'The server refused with NO_PROPOSAL_CHOSEN: nothing fits.',
  });
  const [found] = connectionFindings({
    now: NOW,
    sessions: [refused],
    reach: [],
    isBehindNat: false,
    nameOf: () => 'laptop',
  });
  expect(found).toMatchObject({ cause: 'server-refuses', level: 'fault', device: '192.168.1.11' });
  expect(found!.what).toBe('IPsec NAT-T of laptop to 203.0.113.1 is refused by its server.');
  expect(found!.evidence).toContain('NO_PROPOSAL_CHOSEN');
});

it('what works and what has ended is no finding', () => {
  expect(
    causes([
      session({ state: 'up', phase: 'open', silence: null }),
      session({ state: 'idle', phase: 'open' }),
      session({ state: 'ended' }),
      session({ state: 'blocked' }),
    ]),
  ).toEqual([]);
});

// What the session machine makes of facts, as conversations: `>>` is heard, `<<` is what becomes of it.
// PPTP, L2TP and IKE messages are made by the wire formats, since their bytes are no pleasure to read.
import { describe, expect, it } from 'vitest';
import { converse, expectConversation, line, only, OPTIONS } from '../../../test/session-conversation.ts';
import type { Ipv4Address, Port } from '../address.ts';
import { emitNotify } from '../wire/isakmp-payloads.ts';
import { exchangeTypes, type IsakmpMessage } from '../wire/isakmp.ts';
import type { PptpMessage } from '../wire/pptp.ts';
import type { Fact } from './fact.ts';
import { shiftInstants, trafficOf, type SessionRecord } from './session-record.ts';
import { parseSessionInput, renderSessionEffect } from './session-transcript.ts';
import { SessionMachine } from './sessions.ts';

const phone = '192.168.1.11' as Ipv4Address;
const laptop = '192.168.1.12' as Ipv4Address;
const server = '203.0.113.1' as Ipv4Address;
function pptp(from: 'lan' | 'wan', message: Partial<PptpMessage>, client = phone): Fact {
  return {
    kind: 'pptp',
    from,
    client,
    server,
    clientPort: 40_000 as Port,
    message: { ...PPTP_ZERO, ...message } as unknown as PptpMessage,
  };
}

const PPTP_ZERO = {
  protocolVersion: 256,
  framingCapabilities: 0,
  bearerCapabilities: 0,
  maximumChannels: 0,
  firmwareRevision: 0,
  hostName: '',
  vendorName: '',
  resultCode: 1,
  errorCode: 0,
  callId: 0,
  peerCallId: 0,
  causeCode: 0,
  reason: 1,
};

const TCP = 'protocol=6 client=192.168.1.11 server=203.0.113.1 clientPort=40000 serverPort=1723';
const GRE = 'protocol=47 client=192.168.1.11 server=203.0.113.1 clientPort=7 serverPort=9';

describe('PPTP', () => {
  const setUp = `
    1.000 >> flow change=new id=1 ${TCP} answered=false assured=false timeoutSeconds=120
    1.000 << began id=1 protocol=pptp client=192.168.1.11 server=203.0.113.1 serverPort=1723
    1.010 >> ${line(pptp('lan', { kind: 'start-request' }))}
    1.020 >> ${line(pptp('wan', { kind: 'start-reply', vendorName: 'linux' }))}
    1.020 << noted id=1 what="The server accepts the control connection (linux)."
    1.030 >> ${line(pptp('lan', { kind: 'outgoing-call-request', callId: 7 }))}
    1.030 << noted id=1 what="The device asks for a call; its Call ID is 7."`;
  const connected = `${setUp}
    1.040 >> ${line(pptp('wan', { kind: 'outgoing-call-reply', callId: 9, peerCallId: 7 }))}
    1.040 << noted id=1 what="The server accepts the call; its Call ID is 9."
    1.040 << turned id=1 protocol=pptp state=up`;

  it('a call is up when the server accepts it, and its traffic is that of its GRE', () => {
    const machine = expectConversation(`${connected}
      2.000 >> flow change=new id=2 ${GRE} answered=false assured=false timeoutSeconds=120
      3.000 >> flow change=update id=2 ${GRE} answered=true assured=true timeoutSeconds=120 out=10/1000 in=8/900`);
    const call = only(machine);
    expect(call.details).toMatchObject({ 'Call ID of the device': '7', 'Call ID of the server': '9' });
    expect(trafficOf(call)).toEqual({ out: { packets: 10, bytes: 1000 }, in: { packets: 8, bytes: 900 } });
  });

  it('falls idle, and is up again with the next packet', () => {
    expectConversation(`${connected}
      1.500 >> flow change=new id=2 ${GRE} answered=true assured=true timeoutSeconds=600
      121.500 << turned id=1 protocol=pptp state=idle
      130.000 >> flow change=update id=2 ${GRE} answered=true assured=true timeoutSeconds=600 out=1/100 in=1/100
      130.000 << turned id=1 protocol=pptp state=up`);
  });

  it('GRE that leaves and never returns is named', () => {
    expectConversation(`${connected}
      2.000 >> flow change=new id=2 ${GRE} answered=false assured=false timeoutSeconds=120 out=1/100
      12.000 >> flow change=update id=2 ${GRE} answered=false assured=false timeoutSeconds=120 out=6/600
      21.000 >> flow change=update id=2 ${GRE} answered=false assured=false timeoutSeconds=120 out=12/1200
      22.000 << turned id=1 protocol=pptp state=failing trouble="Nothing comes from 203.0.113.1 any more, though the device keeps sending. The control connection stands, so GRE (IP protocol 47) is probably lost on the way."
      23.000 >> flow change=update id=2 ${GRE} answered=true assured=false timeoutSeconds=120 out=13/1300 in=1/100
      23.000 << turned id=1 protocol=pptp state=up`);
  });

  it('a server that refuses the call is quoted in words', () => {
    expectConversation(`${setUp}
      1.040 >> ${line(pptp('wan', { kind: 'outgoing-call-reply', peerCallId: 7, resultCode: 7, errorCode: 4 }))}
      1.040 << turned id=1 protocol=pptp state=failing trouble="The server refused the connection: it does not accept the call: perhaps all its connections are taken (it has no room for this now)."`);
  });

  it('a server that does not answer is named after eight seconds, and the session ends when the device gives up', () => {
    expectConversation(`
      1.000 >> flow change=new id=1 ${TCP} answered=false assured=false timeoutSeconds=120
      1.000 << began id=1 protocol=pptp client=192.168.1.11 server=203.0.113.1 serverPort=1723
      9.000 << turned id=1 protocol=pptp state=failing trouble="203.0.113.1 port 1723 does not answer. The server may be down, the address wrong, or PPTP blocked on the way. Some networks block TCP 1723."
      121.000 >> flow change=end id=1 ${TCP} answered=false assured=false
      121.000 << ended id=1 reason="The server did not answer on TCP port 1723."`);
  });

  it('who hung up is said', () => {
    expectConversation(`${connected}
      5.000 >> ${line(pptp('wan', { kind: 'call-disconnect-notify', callId: 9, resultCode: 3 }))}
      5.000 << ended id=1 reason="The server ended the call: it was closed by the administrator."`);
    expectConversation(`${connected}
      5.000 >> ${line(pptp('lan', { kind: 'stop-request', reason: 1 }))}
      5.000 << ended id=1 reason="The device ended the control connection: a general request."`);
    expectConversation(`${connected}
      5.000 >> flow change=end id=1 ${TCP} answered=true assured=true tcpState=7
      5.000 << ended id=1 reason="The control connection ended."`);
  });

  it('two calls of one control connection are two sessions, each with the GRE of its Call IDs', () => {
    const machine = expectConversation(`${connected}
      2.000 >> ${line(pptp('lan', { kind: 'outgoing-call-request', callId: 8 }))}
      2.000 << began id=2 protocol=pptp client=192.168.1.11 server=203.0.113.1 serverPort=1723
      2.000 << noted id=2 what="The device asks for a call; its Call ID is 8."
      2.100 >> ${line(pptp('wan', { kind: 'outgoing-call-reply', callId: 10, peerCallId: 8 }))}
      2.100 << noted id=2 what="The server accepts the call; its Call ID is 10."
      2.100 << turned id=2 protocol=pptp state=up
      3.000 >> flow change=update id=3 ${GRE.replace('=7 ', '=8 ').replace('=9', '=10')} answered=true assured=true out=5/500 in=5/500
      3.000 >> flow change=update id=2 ${GRE} answered=true assured=true out=1/100 in=1/100`);
    expect([...machine.sessions()].map((one) => trafficOf(one).out.packets)).toEqual([1, 5]);
  });

  it('switched off: blocked as long as the device tries, and on again it negotiates anew', () => {
    const machine = expectConversation(`${connected}
      2.000 >> switches disabled=pptp
      2.000 << turned id=1 protocol=pptp state=blocked trouble="PPTP Passthrough is disabled, so the gateway refuses it."
      2.001 >> flow change=end id=1 ${TCP} answered=true assured=true
      60.000 >> refused protocol=pptp client=192.168.1.11 server=203.0.113.1
      61.000 >> refused protocol=pptp client=192.168.1.12 server=203.0.113.1
      61.000 << began id=2 protocol=pptp client=192.168.1.12 server=203.0.113.1 serverPort=1723
      61.000 << turned id=2 protocol=pptp state=blocked trouble="PPTP Passthrough is disabled, so the gateway refuses it."
      660.000 << ended id=1 reason="The device stopped trying while PPTP was disabled."
      660.500 >> switches disabled=none
      660.500 << ended id=2 reason="The device stopped trying."`);
    expect([...machine.sessions()]).toEqual([]);
  });

  it('what was refused goes on as the same session when it is allowed again', () => {
    const machine = expectConversation(`
      1.000 >> switches disabled=pptp
      2.000 >> refused protocol=pptp client=192.168.1.11 server=203.0.113.1
      2.000 << began id=1 protocol=pptp client=192.168.1.11 server=203.0.113.1 serverPort=1723
      2.000 << turned id=1 protocol=pptp state=blocked trouble="PPTP Passthrough is disabled, so the gateway refuses it."
      3.000 >> switches disabled=none
      3.000 << turned id=1 protocol=pptp state=negotiating
      4.000 >> flow change=new id=1 ${TCP} answered=true assured=true
      4.000 << turned id=1 protocol=pptp state=up
      5.000 >> switches disabled=pptp
      5.000 << turned id=1 protocol=pptp state=blocked trouble="PPTP Passthrough is disabled, so the gateway refuses it."
      6.000 >> switches disabled=none
      6.000 << turned id=1 protocol=pptp state=negotiating
      7.000 >> flow change=new id=2 ${TCP.replace('40000', '40001')} answered=true assured=true
      7.000 << turned id=1 protocol=pptp state=up`);
    expect(only(machine).key).toContain(' 40001 ');
  });

  it('a call that was ended by the switch is up again with the same Call ID', () => {
    const machine = new SessionMachine(OPTIONS);
    converse(machine, `${connected}\n1.500 >> flow change=new id=2 ${GRE} answered=true assured=true`);
    machine.handle({ kind: 'switches', disabled: ['pptp'] }, 2000);
    // Conntrack tells the figures of what was deleted.
    const gone = `flow change=end id=2 ${GRE} answered=true assured=true out=40/4000 in=39/3900`;
    machine.handle(parseSessionInput(gone), 2001);
    machine.handle({ kind: 'switches', disabled: [] }, 3000);
    expect(trafficOf(only(machine)).out.packets).toBe(40);
    for (const [from, message] of [
      ['lan', { kind: 'start-request' }],
      ['lan', { kind: 'outgoing-call-request', callId: 7 }],
      ['wan', { kind: 'outgoing-call-reply', callId: 12, peerCallId: 7 }],
    ] as const) {
      machine.handle({ ...pptp(from, message), clientPort: 40_001 } as Fact, 4000);
    }
    expect(only(machine)).toMatchObject({ id: 1, state: 'up', details: { 'Call ID of the server': '12' } });
  });
});

function ike(
  from: 'lan' | 'wan',
  exchange: keyof typeof exchangeTypes,
  {
    spi = 0xa1n,
    port = 500,
    version = 2,
    id = 0,
    length = 400,
    notify = null,
    client = phone,
  }: {
    spi?: bigint;
    port?: 500 | 4500;
    version?: 1 | 2;
    id?: number;
    length?: number;
    notify?: number | null;
    client?: Ipv4Address | null;
  } = {},
): string {
  const payloads =
    notify === null
      ? []
      : [
          {
            type: version === 1 ? 11 : 41,
            critical: false,
            body: emitNotify({
              doi: version === 1 ? 1 : null,
              protocolId: 0,
              type: notify,
              spi: new Uint8Array(),
              data: new Uint8Array(),
            }),
          },
        ];
  const message: IsakmpMessage = {
    header: {
      initiatorSpi: spi,
      responderSpi: from === 'wan' ? 0xb1n : 0n,
      nextPayload: 0,
      majorVersion: version,
      minorVersion: 0,
      exchangeType: exchangeTypes[exchange],
      flags: {
        encryption: false,
        commit: false,
        authenticationOnly: false,
        initiator: from === 'lan',
        higherVersion: false,
        response: from === 'wan',
      },
      messageId: id,
      length,
    },
    payloads,
    encrypted: null,
  };
  return line({ kind: 'ike', from, client, server, port, message, held: null });
}

describe('IPsec', () => {
  const begins = `
    1.000 >> ${ike('lan', 'ikeSaInit')}
    1.000 << began id=1 protocol=ipsec client=192.168.1.11 server=203.0.113.1 serverPort=500
    1.000 << noted id=1 what="The device begins to negotiate."`;
  const raw = `${begins}
    1.100 >> ${ike('wan', 'ikeSaInit', { client: null })}
    1.200 >> ${ike('lan', 'ikeAuth', { id: 1 })}
    1.300 >> ${ike('wan', 'ikeAuth', { id: 1, client: null })}
    1.300 << noted id=1 what="The server answers the authentication."
    1.300 << turned id=1 protocol=ipsec state=up
    1.400 >> esp-sent client=192.168.1.11 server=203.0.113.1 packet=0x00001001#1+84
    1.500 >> pair server=203.0.113.1 spi=0x00002001 client=192.168.1.11 confidence=certain trial=false evidence="Only this device negotiates."
    1.500 << noted id=1 what="SPI 0x00002001 of the server is for this device (certain): Only this device negotiates."`;

  it('raw ESP: the IKE SA and its associations are one session', () => {
    const machine = expectConversation(`${raw}
      5.000 >> esp-counted direction=out client=192.168.1.11 server=203.0.113.1 spi=0x00001001 packets=20 bytes=2000
      5.000 >> esp-counted direction=in client=192.168.1.11 server=203.0.113.1 spi=0x00002001 packets=18 bytes=1800`);
    const session = only(machine);
    expect(session.sas.map(({ direction, confidence }) => [direction, confidence])).toEqual([
      ['out', null],
      ['in', 'certain'],
    ]);
    expect(trafficOf(session)).toEqual({
      out: { packets: 20, bytes: 2000 },
      in: { packets: 18, bytes: 1800 },
    });
  });

  it('ESP that leaves while nothing returns is named, also while IKE goes on', () => {
    expectConversation(`${raw}
      5.000 >> esp-counted direction=out client=192.168.1.11 server=203.0.113.1 spi=0x00001001 packets=20 bytes=2000
      15.000 >> ${ike('wan', 'informational', { id: 2, client: null })}
      20.000 << turned id=1 protocol=ipsec state=failing trouble="ESP leaves for 203.0.113.1 and nothing returns. The server may have no route back, or drop it, or another NAT on the way mixes devices up; NAT-T (UDP 4500) on both ends avoids that."
      21.000 >> esp-counted direction=in client=192.168.1.11 server=203.0.113.1 spi=0x00002001 packets=1 bytes=100
      21.000 << turned id=1 protocol=ipsec state=up`);
  });

  it('a pair that is mended stands in the history of both devices', () => {
    expectConversation(
      `${raw}
      2.000 >> pair server=203.0.113.1 spi=0x00002001 client=192.168.1.12 confidence=probable instead=192.168.1.11 trial=false evidence="Its traffic got no answer."
      2.000 << began id=2 protocol=ipsec client=192.168.1.12 server=203.0.113.1
      2.000 << noted id=1 what="SPI 0x00002001 of the server went over to 192.168.1.12: Its traffic got no answer."
      2.000 << noted id=2 what="SPI 0x00002001 of the server came from 192.168.1.11."
      2.000 << noted id=2 what="SPI 0x00002001 of the server is for this device (probable): Its traffic got no answer."
      2.000 << turned id=2 protocol=ipsec state=up
      3.000 >> collision server=203.0.113.1 spi=0x00002001 client=192.168.1.12 other=192.168.1.11
      3.000 << turned id=2 protocol=ipsec state=up trouble="This device and 192.168.1.11 have chosen the same SPI 0x00002001 for the same server, which no NAT can tell apart: reconnect one of them."
      3.000 << turned id=1 protocol=ipsec state=up trouble="This device and 192.168.1.12 have chosen the same SPI 0x00002001 for the same server, which no NAT can tell apart: reconnect one of them."`,
    );
  });

  it('NAT-T continues the session that began on port 500', () => {
    const machine = expectConversation(`${begins}
      1.100 >> ${ike('wan', 'ikeSaInit')}
      1.200 >> ${ike('lan', 'ikeAuth', { id: 1, port: 4500 })}
      1.200 << noted id=1 what="Both ends know of the NAT: they go on with UDP port 4500."
      1.300 >> ${ike('wan', 'ikeAuth', { id: 1, port: 4500 })}
      1.300 << noted id=1 what="The server answers the authentication."
      1.300 << turned id=1 protocol=ipsec-nat-t state=up
      5.000 >> flow change=update id=3 protocol=17 client=192.168.1.11 server=203.0.113.1 clientPort=4500 serverPort=4500 answered=true assured=true timeoutSeconds=300 out=30/3000 in=30/3000
      5.100 >> flow change=update id=2 protocol=17 client=192.168.1.11 server=203.0.113.1 clientPort=500 serverPort=500 answered=true assured=true timeoutSeconds=300 out=1/400 in=1/400
      9.000 >> ${ike('lan', 'ikeSaInit', { spi: 0xa2n, port: 4500 })}
      9.000 << noted id=1 what="The device negotiates a new IKE SA."`);
    expect(only(machine)).toMatchObject({ protocol: 'ipsec-nat-t', serverPort: 4500 });
    expect(trafficOf(only(machine)).out.packets).toBe(31);
  });

  it.each([
    [
      2 as const,
      'ikeSaInit' as const,
      14,
      'NO_PROPOSAL_CHOSEN: it accepts none of the encryption proposals of the device',
    ],
    [
      1 as const,
      'informationalV1' as const,
      14,
      'NO_PROPOSAL_CHOSEN: it accepts none of the encryption proposals of the device',
    ],
    [
      2 as const,
      'ikeSaInit' as const,
      24,
      'AUTHENTICATION_FAILED: it does not accept the identity, password or certificate of the device',
    ],
    [2 as const, 'ikeSaInit' as const, 9999, 'error 9999: the standard of IKE names the number'],
  ])(
    'version %s, %s: what the server refuses in the clear (%s) is quoted',
    (version, exchange, notify, words) => {
      const first = ike('lan', version === 1 ? 'mainMode' : 'ikeSaInit', { version });
      expectConversation(`
      1.000 >> ${first}
      1.000 << began id=1 protocol=ipsec client=192.168.1.11 server=203.0.113.1 serverPort=500
      1.000 << noted id=1 what="The device begins to negotiate."
      1.100 >> ${ike('wan', exchange, { version, notify })}
      1.100 << noted id=1 what="The server refused with ${words}."
      1.100 << turned id=1 protocol=ipsec state=failing trouble="The server refused with ${words}."`);
    },
  );

  it('another key exchange group and a cookie are no refusals: the device tries again as it is told', () => {
    expectConversation(`${begins}
      1.100 >> ${ike('wan', 'ikeSaInit', { notify: 17 })}
      1.200 >> ${ike('lan', 'ikeSaInit')}
      1.300 >> ${ike('wan', 'ikeSaInit', { notify: 16_390 })}
      1.400 >> ${ike('lan', 'ikeSaInit')}`);
  });

  it('an answer to the authentication that is too short to agree is called a probable refusal', () => {
    const machine = expectConversation(`${begins}
      1.100 >> ${ike('wan', 'ikeSaInit')}
      1.200 >> ${ike('lan', 'ikeAuth', { id: 1 })}
      1.300 >> ${ike('wan', 'ikeAuth', { id: 1, length: 80 })}
      1.300 << turned id=1 protocol=ipsec state=failing trouble="The server probably refused the identity, the pre-shared key or the certificate of the device: its answer is too short to be an agreement. It is encrypted; the log of the server says why."`);
    expect(only(machine).phase).toBe('refused');
  });

  it('NAT-T that goes on by itself after IPsec was off is up, though nothing is negotiated anew', () => {
    const flow = (traffic: string): string =>
      `flow change=update id=3 protocol=17 client=192.168.1.11 server=203.0.113.1 clientPort=4500 serverPort=4500 answered=true assured=true timeoutSeconds=300 ${traffic}`;
    const machine = new SessionMachine(OPTIONS);
    converse(
      machine,
      `1.000 >> ${ike('lan', 'mainMode', { version: 1, port: 4500 })}
       2.000 >> ${ike('wan', 'quickMode', { version: 1, port: 4500 })}
       3.000 >> switches disabled=ipsec
       5.000 >> switches disabled=none
       8.000 >> ${flow('out=6/600 in=6/600')}`,
    );
    expect(only(machine).state).toBe('negotiating');
    converse(machine, `13.000 >> ${flow('out=60/6000 in=60/6000')}`);
    expect(only(machine).state).toBe('up');
  });

  it('two devices with one L2TP/IPsec server: the limit of many servers is named when one falls silent', () => {
    const flow = (device: Ipv4Address, traffic: string): string =>
      `flow change=update id=${device === phone ? 1 : 2} protocol=17 client=${device} server=203.0.113.1 clientPort=4500 serverPort=4500 answered=true assured=true timeoutSeconds=300 ${traffic}`;
    const machine = new SessionMachine(OPTIONS);
    const conversation = converse(
      machine,
      `1.000 >> ${ike('lan', 'mainMode', { version: 1, port: 4500 })}
       1.100 >> ${flow(phone, 'out=1/300 in=1/300')}
       2.000 >> ${ike('lan', 'mainMode', { version: 1, port: 4500, client: laptop, spi: 0xa9n })}
       2.100 >> ${flow(laptop, 'out=30/3000 in=30/3000')}
       3.000 >> ${ike('wan', 'quickMode', { version: 1, port: 4500 })}
       4.000 >> ${flow(phone, 'out=9/3000 in=1/300')}
       20.000 >> ${flow(phone, 'out=29/9000 in=1/300')}
       26.000 >> missed copies=0`,
    );
    expect(conversation).toContain('many servers keep only one device for each public address');
  });
});

describe('protocols without a switch', () => {
  const recognised = (protocol: string, port: number, more = ''): string =>
    `recognised protocol=${protocol} guessed=false transport=udp client=192.168.1.11 server=203.0.113.1 clientPort=${port} serverPort=51820${more}`;
  const flow = (port: number, traffic: string, answered = true): string =>
    `flow change=update id=${port} protocol=17 client=192.168.1.11 server=203.0.113.1 clientPort=${port} serverPort=51820 answered=${answered} assured=${answered} timeoutSeconds=300 ${traffic}`;

  it('WireGuard is one session, also from another port; its unanswered keepalives are no trouble', () => {
    const machine = expectConversation(`
      1.000 >> ${recognised('wireguard', 5000)}
      1.000 << began id=1 protocol=wireguard client=192.168.1.11 server=203.0.113.1 serverPort=51820
      2.000 >> ${flow(5000, 'out=5/740 in=5/700')}
      2.000 << turned id=1 protocol=wireguard state=up
      90.000 >> ${flow(5000, 'out=15/1340 in=5/700')}
      112.000 >> ${flow(5000, 'out=16/1400 in=5/700')}
      113.000 >> ${recognised('wireguard', 5001)}
      114.000 >> ${flow(5001, 'out=1/100 in=1/100')}`);
    expect(trafficOf(only(machine)).out.packets).toBe(17);
  });

  it('a guess is labelled, carries the name of the TLS server, and never overrules what the port says', () => {
    const machine = new SessionMachine(OPTIONS);
    const tls = `recognised protocol=sstp guessed=true transport=tcp client=192.168.1.11 server=203.0.113.1 clientPort=5000 serverPort=443 serverName="vpn.example"`;
    converse(machine, `1.000 >> ${tls}`);
    expect(only(machine)).toMatchObject({ protocol: 'sstp', guessed: true, serverName: 'vpn.example' });
    const other = new SessionMachine(OPTIONS);
    converse(
      other,
      `1.000 >> flow change=new id=1 ${TCP} answered=true assured=true
       1.100 >> ${tls.replace('serverPort=443', 'serverPort=1723').replace('5000', '40000')}`,
    );
    expect(only(other).protocol).toBe('pptp');
  });

  describe('a server that hangs up before anything is agreed', () => {
    const hello = (port: number): string =>
      `recognised protocol=openvpn guessed=false transport=tcp client=192.168.1.11 server=203.0.113.1 clientPort=${port} serverPort=1194`;
    const tcp = (port: number, state: number, back: string): string =>
      `flow change=update id=${port} protocol=6 client=192.168.1.11 server=203.0.113.1 clientPort=${port} serverPort=1194 answered=true assured=true tcpState=${state} timeoutSeconds=10 out=5/387 in=${back}`;
    const twice = `
      1.000 >> ${hello(5000)}
      1.100 >> ${tcp(5000, 8, '4/223')}
      2.000 >> ${hello(5001)}
      2.100 >> ${tcp(5001, 7, '4/223')}`;

    it('has refused the second time, in one session', () => {
      const machine = new SessionMachine(OPTIONS);
      converse(machine, `1.000 >> ${hello(5000)}\n1.100 >> ${tcp(5000, 8, '4/223')}`);
      expect(only(machine)).toMatchObject({ phase: 'opening', restarts: 1 });
      const again = new SessionMachine(OPTIONS);
      converse(again, twice);
      expect(only(again)).toMatchObject({ state: 'failing', phase: 'refused', restarts: 2 });
      expect(only(again).refusal).toContain('223 octets');
    });

    it('is in order again once it agrees', () => {
      const machine = new SessionMachine(OPTIONS);
      converse(
        machine,
        `${twice}
        3.000 >> ${hello(5002)}
        3.100 >> ${tcp(5002, 3, '4/223')}`,
      );
      expect(only(machine).state).toBe('failing');
      converse(machine, `4.000 >> ${tcp(5002, 3, '40/9000')}`);
      expect(only(machine)).toMatchObject({ state: 'up', refusal: null, restarts: 0 });
    });

    it('is no refusal when a long one ends', () => {
      const machine = new SessionMachine(OPTIONS);
      const long = [5000, 5001].map(
        (port) => `
        ${port - 4999}.000 >> ${hello(port)}
        ${port - 4999}.100 >> ${tcp(port, 3, '40/9000')}
        ${port - 4999}.200 >> ${tcp(port, 7, '40/9000')}`,
      );
      converse(machine, long.join(''));
      expect([...machine.sessions()].map(({ refusal }) => refusal)).toEqual([null, null]);
    });
  });

  it('STUN and unknown flows make no session', () => {
    const machine = new SessionMachine(OPTIONS);
    converse(machine, `1.000 >> ${recognised('stun', 5000)}\n1.100 >> ${flow(5000, 'out=1/1')}`);
    expect([...machine.sessions()]).toEqual([]);
  });
});

describe('after a restart', () => {
  const flows = [TCP, GRE].map(
    (one, index) =>
      `flow change=update id=${index + 1} ${one} answered=true assured=true timeoutSeconds=500 out=20/2000 in=20/2000`,
  );

  it('what lives goes on with its id, its beginning and its counts; what is gone has ended', () => {
    const before = new SessionMachine(OPTIONS);
    for (const [index, client] of [phone, laptop].entries()) {
      const play = [
        pptp('lan', { kind: 'outgoing-call-request', callId: 7 }, client),
        pptp('wan', { kind: 'outgoing-call-reply', callId: 9, peerCallId: 7 }, client),
      ];
      for (const one of play) before.handle(one, 1000 + index);
    }
    for (const flow of flows) before.handle(parseSessionInput(flow), 2000);
    const kept = [...before.sessions()].map(
      (one) => JSON.parse(JSON.stringify(shiftInstants(one, 50_000))) as SessionRecord,
    );
    const machine = new SessionMachine({ ...OPTIONS, nextId: 3 });
    machine.handle({ kind: 'restore', sessions: kept.map((one) => shiftInstants(one, -80_000)) }, 10);
    for (const flow of flows) machine.handle(parseSessionInput(flow), 20);
    const effects = machine.handle({ kind: 'taken-over' }, 30);
    expect(effects.map((one) => renderSessionEffect(one))).toEqual([
      'ended id=2 reason="It ended while the gateway was not observing."',
    ]);
    expect(only(machine)).toMatchObject({ id: 1, since: 1000 + 50_000 - 80_000, client: phone });
    expect(trafficOf(only(machine)).out.packets).toBe(40);
  });

  it('without a journal, running connections are sessions all the same', () => {
    const machine = new SessionMachine(OPTIONS);
    for (const flow of flows) machine.handle(parseSessionInput(flow), 20);
    machine.handle({ kind: 'taken-over' }, 30);
    expect(only(machine)).toMatchObject({ protocol: 'pptp', state: 'up' });
  });
});

import { describe, expect, it } from 'vitest';
import { expectConversation, line, only } from '../../../test/session-conversation.ts';
import type { Ipv4Address, Port } from '../address.ts';
import { avp, avpU16, l2tpAvpTypes, l2tpMessageTypes, type L2tpAvp } from '../wire/l2tp-avp.ts';
import { trafficOf } from './session-record.ts';

const phone = '192.168.1.11' as Ipv4Address;
const server = '203.0.113.1' as Ipv4Address;

function l2tp(
  from: 'lan' | 'wan',
  type: number,
  ids: readonly [tunnelId: number, sessionId: number],
  avps: readonly L2tpAvp[] = [],
  serverPort = 1701,
): string {
  const message = {
    kind: 'control',
    version: 2,
    tunnelId: ids[0],
    sessionId: ids[1],
    ns: 0,
    nr: 0,
    avps: [avpU16(l2tpAvpTypes.messageType, type), ...avps],
  } as const;
  const ports = { clientPort: 1701 as Port, serverPort: serverPort as Port };
  return line({ kind: 'l2tp', from, client: phone, server, ...ports, message });
}

describe('L2TP', () => {
  const types = l2tpMessageTypes;
  const tunnel = (id: number): L2tpAvp => avpU16(l2tpAvpTypes.assignedTunnelId, id);
  const call = (id: number): L2tpAvp => avpU16(l2tpAvpTypes.assignedSessionId, id);
  const asks = `
    1.000 >> ${l2tp('lan', types.startControlConnectionRequest, [0, 0], [tunnel(257)])}
    1.000 << began id=1 protocol=l2tp client=192.168.1.11 server=203.0.113.1 serverPort=1701
    1.000 << noted id=1 what="The device asks for a tunnel; its tunnel id is 257."`;
  const connected = `${asks}
    1.100 >> ${l2tp('wan', types.startControlConnectionReply, [257, 0], [tunnel(513)], 33_001)}
    1.100 << noted id=1 what="The server answers from port 33001 and not from 1701."
    1.100 << noted id=1 what="The server accepts the tunnel; its tunnel id is 513."
    1.200 >> ${l2tp('lan', types.incomingCallRequest, [513, 0], [call(1)])}
    1.300 >> ${l2tp('wan', types.incomingCallReply, [257, 1], [call(9)], 33_001)}
    1.300 << noted id=1 what="The server accepts the call."
    1.300 << turned id=1 protocol=l2tp state=up`;

  it('a tunnel with its ids, also when the server answers from another port', () => {
    const machine = expectConversation(`${connected}
      2.000 >> flow change=update id=5 protocol=17 client=192.168.1.11 server=203.0.113.1 clientPort=1701 serverPort=33001 answered=true assured=true out=5/500 in=4/400`);
    const session = only(machine);
    expect(session.serverPort).toBe(33_001);
    expect(session.details).toEqual({
      'tunnel ids, device / server': '257 / 513',
      'session ids, device / server': '1 / 9',
    });
    expect(trafficOf(session).in.packets).toBe(4);
  });

  it('a server that refuses gives its reason in words', () => {
    const result = avp(
      l2tpAvpTypes.resultCode,
      Uint8Array.from([0, 4, 0, 0, ...Array.from('No entry', (letter) => letter.charCodeAt(0))]),
    );
    expectConversation(`${asks}
      1.100 >> ${l2tp('wan', types.stopControlConnection, [257, 0], [tunnel(513), result])}
      1.100 << turned id=1 protocol=l2tp state=failing trouble="The server refused the connection: this device is not authorized to open a tunnel \\"No entry\\"."`);
  });

  it('the tunnel ends with the reason of who ended it', () => {
    expectConversation(`${connected}
      9.000 >> ${l2tp('lan', types.stopControlConnection, [513, 0], [tunnel(257), avpU16(l2tpAvpTypes.resultCode, 6)])}
      9.000 << ended id=1 reason="The device ended the tunnel: it is being shut down."`);
  });

  it('the entry of an ended tunnel opens no new session, but the device may', () => {
    const flow =
      'flow change=update id=5 protocol=17 client=192.168.1.11 server=203.0.113.1 clientPort=1701 serverPort=1701 answered=true assured=true out=5/500 in=4/400';
    const machine = expectConversation(`${connected}
      2.000 >> ${flow}
      9.000 >> ${l2tp('lan', types.stopControlConnection, [513, 0], [tunnel(257)])}
      9.000 << ended id=1 reason="The device ended the tunnel: it gave no reason."
      10.000 >> ${flow.replace('5/500', '6/600')}
      11.000 >> ${l2tp('lan', types.startControlConnectionRequest, [0, 0], [tunnel(300)])}
      11.000 << began id=2 protocol=l2tp client=192.168.1.11 server=203.0.113.1 serverPort=1701
      11.000 << noted id=2 what="The device asks for a tunnel; its tunnel id is 300."
      12.000 >> ${flow.replace('5/500', '7/700')}`);
    expect(only(machine).flows).toHaveLength(1);
  });
});

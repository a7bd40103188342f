import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  emitIsakmp,
  exchangeTypes,
  parseIsakmp,
  payloadTypesV1,
  payloadTypesV2,
  type IsakmpPayload,
} from '../wire/isakmp.ts';
import {
  emitNotify,
  emitSecurityAssociation,
  notifyTypes,
  parseSecurityAssociation,
} from '../wire/isakmp-payloads.ts';
import { avpU16, l2tpAvpTypes, l2tpMessageTypes } from '../wire/l2tp-avp.ts';
import { emitL2tp, l2tpMessageType, parseL2tp } from '../wire/l2tp.ts';
import { emitOpenvpn, openvpnOpcodes, parseOpenvpn, emitOpenvpnControlBody } from '../wire/openvpn.ts';
import { emitPort4500, parsePort4500 } from '../wire/port4500.ts';
import { emitPptp, parsePptp } from '../wire/pptp.ts';
import type { Attempt, Reaction } from './attempt.ts';
import { ikeFromPort500Probe } from './ike.ts';
import { conclusion, meaning, PROBES } from './probes.ts';

const random = (length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => (index * 37 + 11) & 0xff);
const ALL = [...PROBES, ikeFromPort500Probe];
const begin = (id: string): Attempt => ALL.find((one) => one.id === id)!.begin(random, 'vpn.example.org');
const finding = (reaction: Reaction): string => {
  if (reaction === null) return 'waits';
  return 'say' in reaction ? 'says' : `${reaction.finding.verdict}: ${reaction.finding.detail}`;
};
const text = (words: string): Uint8Array => new TextEncoder().encode(words);

/** What an IKE server answers to an attempt's first message. */
function ikeAnswer(opening: Uint8Array, payloads: IsakmpPayload[], version: 1 | 2 = 2): Uint8Array {
  const { header } = parseIsakmp(opening);
  return emitIsakmp({
    header: {
      ...header,
      majorVersion: version,
      responderSpi: 0x99n,
      exchangeType: version === 2 ? exchangeTypes.ikeSaInit : exchangeTypes.informationalV1,
      flags: version === 2 ? { response: true } : {},
    },
    payloads,
    encrypted: null,
  });
}

function notify(version: 1 | 2, type: number): IsakmpPayload {
  return {
    type: version === 2 ? payloadTypesV2.notify : payloadTypesV1.notification,
    critical: false,
    body: emitNotify({
      doi: version === 2 ? null : 1,
      protocolId: version === 2 ? 0 : 1,
      type,
      spi: new Uint8Array(),
      data: new Uint8Array(),
    }),
  };
}

describe('what a probe says first', () => {
  it('IKEv2 offers proposals that can be read, and a group 14 value below its prime', () => {
    const { header, payloads } = parseIsakmp(begin('ikev2').opening);
    expect([header.exchangeType, header.responderSpi, header.flags.initiator]).toEqual([
      exchangeTypes.ikeSaInit,
      0n,
      true,
    ]);
    const [sa, ke] = payloads;
    expect(parseSecurityAssociation(2, sa!.body).map((one) => one.number)).toEqual([1, 2]);
    expect(ke!.body).toHaveLength(4 + 256);
    expect(ke!.body[4]! & 0x80).toBe(0);
  });

  it('IKEv1 offers transforms numbered from 1; Aggressive Mode with one group only', () => {
    for (const [id, count] of [
      ['ikev1', 54],
      ['ikev1-aggressive', 18],
    ] as const) {
      const sa = parseIsakmp(begin(id).opening).payloads[0]!;
      const [proposal] = parseSecurityAssociation(1, sa.body);
      expect(proposal!.transforms.map((one) => one.type)).toEqual(
        Array.from({ length: count }, (_, index) => index + 1),
      );
    }
  });

  it('port 4500 stands behind the marker', () => {
    expect(parsePort4500(begin('ikev2-4500').opening).kind).toBe('ike');
  });

  it('web requests name the server and nothing of the gateway', () => {
    for (const id of ['sstp', 'softether', 'anyconnect']) {
      const request = new TextDecoder().decode(begin(id).opening);
      expect(request).toContain('\r\nHost: vpn.example.org\r\n');
    }
  });
});

describe('what the answers mean', () => {
  it('IKEv2', () => {
    const answered = (payloads: IsakmpPayload[], version?: 1 | 2): string => {
      const attempt = begin('ikev2');
      return finding(attempt.hear(ikeAnswer(attempt.opening, payloads, version)));
    };
    expect(answered([notify(2, notifyTypes.natDetectionSourceIp)])).toMatch(/^answered: .*by UDP 4500\.$/);
    expect(answered([])).toMatch(/^answered: .*raw ESP\.$/);
    expect(answered([notify(2, notifyTypes.cookie)])).toMatch(/^answered: /);
    expect(answered([notify(2, notifyTypes.invalidKePayload)])).toMatch(/^answered: /);
    expect(answered([notify(2, notifyTypes.noProposalChosen)])).toMatch(
      /^refused: .*NO_PROPOSAL_CHOSEN, it accepts none/,
    );
    expect(answered([notify(2, 12_345)])).toMatch(/^refused: .*error 12345, /);
    expect(answered([notify(1, 5)], 1)).toMatch(/^refused: .*IKEv1/);
    // An answer to somebody else's request.
    const attempt = begin('ikev2');
    const other = ikeAnswer(attempt.opening, []);
    other[0] = other[0]! ^ 1;
    expect(finding(attempt.hear(other))).toBe('waits');
    expect(finding(attempt.hear(attempt.opening))).toBe('waits');
  });

  it('IKEv1', () => {
    const attempt = begin('ikev1-aggressive');
    const sa = {
      type: payloadTypesV1.securityAssociation,
      critical: false,
      body: emitSecurityAssociation(1, [{ number: 1, protocolId: 1, spi: new Uint8Array(), transforms: [] }]),
    };
    expect(finding(attempt.hear(ikeAnswer(attempt.opening, [sa], 1)))).toMatch(/raw ESP\..*Aggressive Mode/);
    expect(finding(attempt.hear(ikeAnswer(attempt.opening, [notify(1, 14)], 1)))).toMatch(/^refused/);
  });

  it('port 4500: a keepalive or ESP is no answer', () => {
    const attempt = begin('ikev2-4500');
    const bytes = ikeAnswer(begin('ikev2').opening, []);
    expect(finding(attempt.hear(Uint8Array.of(0xff)))).toBe('waits');
    expect(finding(attempt.hear(emitPort4500({ kind: 'ike', bytes })))).toMatch(/^answered/);
  });

  it('PPTP: a control connection, a call, and GRE to be tried', () => {
    const attempt = begin('pptp');
    const reply = emitPptp({
      kind: 'start-reply',
      protocolVersion: 0x100,
      resultCode: 1,
      errorCode: 0,
      framingCapabilities: 0,
      bearerCapabilities: 0,
      maximumChannels: 0,
      firmwareRevision: 0,
      hostName: 'x',
      vendorName: 'y',
    });
    expect(attempt.hear(reply.subarray(0, 20))).toBeNull();
    const next = attempt.hear(reply.subarray(20));
    const request = parsePptp((next as { say: Uint8Array }).say);
    expect(request.kind).toBe('outgoing-call-request');
    const callId = request.kind === 'outgoing-call-request' ? request.callId : -1;
    const call = {
      kind: 'outgoing-call-reply',
      callId: 77,
      peerCallId: callId,
      resultCode: 1,
      errorCode: 0,
      causeCode: 0,
      connectSpeedBps: 0,
      receiveWindowSize: 0,
      processingDelay: 0,
      physicalChannelId: 0,
    } as const;
    expect(attempt.hear(emitPptp(call))).toMatchObject({
      finding: { verdict: 'answered' },
      gre: { ownCallId: callId, sendCallId: 77 },
    });
    expect(finding(attempt.hear(emitPptp({ ...call, resultCode: 7 })))).toMatch(
      /^refused: .*does not accept the call/,
    );
    expect(finding(begin('pptp').hear(text('SSH-2.0-OpenSSH_9.2\r\n')))).toMatch(/^other/);
  });

  it('L2TP', () => {
    const answer = (type: number, result?: number): Reaction =>
      begin('l2tp').hear(
        emitL2tp({
          kind: 'control',
          version: 2,
          tunnelId: 1,
          sessionId: 0,
          ns: 0,
          nr: 1,
          avps: [
            avpU16(l2tpAvpTypes.messageType, type),
            avpU16(l2tpAvpTypes.assignedTunnelId, 55),
            ...(result === undefined ? [] : [avpU16(l2tpAvpTypes.resultCode, result)]),
          ],
        }),
      );
    const accepted = answer(l2tpMessageTypes.startControlConnectionReply);
    expect(finding(accepted)).toMatch(/^answered/);
    const farewell = parseL2tp((accepted as { farewell: Uint8Array }).farewell);
    expect(farewell).toMatchObject({ tunnelId: 55, ns: 1, nr: 1 });
    expect(farewell.version === 2 && farewell.kind === 'control' && l2tpMessageType(farewell)).toBe(4);
    expect(finding(answer(l2tpMessageTypes.stopControlConnection, 4))).toMatch(/not authorized/);
  });

  it('OpenVPN', () => {
    const attempt = begin('openvpn-udp');
    expect(parseOpenvpn(attempt.opening)).toMatchObject({ opcode: openvpnOpcodes.hardResetClientV2 });
    const opening = parseOpenvpn(attempt.opening);
    const own = opening.kind === 'control' ? opening.sessionId : 0n;
    const heard = (opcode: number, remoteSessionId: bigint): string => {
      const body = emitOpenvpnControlBody({
        acks: [0],
        remoteSessionId,
        packetId: opcode === openvpnOpcodes.ackV1 ? null : 0,
        payload: new Uint8Array(),
      });
      return finding(attempt.hear(emitOpenvpn({ kind: 'control', keyId: 0, sessionId: 5n, opcode, body })));
    };
    expect(heard(openvpnOpcodes.hardResetServerV2, own)).toMatch(/^answered/);
    expect(heard(openvpnOpcodes.hardResetServerV2, own + 1n)).toMatch(/^other/);
    expect(heard(openvpnOpcodes.ackV1, own)).toMatch(/^other/);
    // The letter A without end looks like a reset of 16,705 octets.
    expect(finding(begin('openvpn-tcp').hear(new Uint8Array(17_000).fill(0x41)))).toMatch(/^other/);
    expect(finding(begin('openvpn-tcp').hear(text('H')))).toBe('waits');
  });

  it.each([
    ['sstp', 'HTTP/1.1 200\r\nContent-Length: 18446744073709551615\r\nServer: x\r\n\r\n', 'answered'],
    ['sstp', 'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n', 'other'],
    ['sstp', 'SSH-2.0-OpenSSH_9.2\r\n', 'other'],
    [
      'softether',
      `HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n${'hello'.padEnd(80)}`,
      'answered',
    ],
    ['softether', 'HTTP/1.1 403 Forbidden\r\n\r\n', 'other'],
    ['anyconnect', 'HTTP/1.1 200 OK\r\nX-Transcend-Version: 1\r\n\r\n', 'answered'],
    ['anyconnect', `HTTP/1.1 200 OK\r\n\r\n<config-auth client="vpn">${' '.repeat(80)}`, 'answered'],
    ['anyconnect', `HTTP/1.1 200 OK\r\n\r\n<html>${' '.repeat(80)}`, 'other'],
  ])('%s: %j is "%s", in one piece and octet by octet', (id, answer, verdict) => {
    expect(finding(begin(id).hear(text(answer))).split(':')[0]).toBe(verdict);
    const attempt = begin(id);
    let last = 'waits';
    for (const octet of text(answer))
      if (last === 'waits') last = finding(attempt.hear(Uint8Array.of(octet)));
    expect(last.split(':')[0]).toBe(verdict);
  });
});

describe('hostile answers', () => {
  it('any bytes end in a reaction or in waiting, never in an error, and with bounded memory', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...ALL),
        fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 }),
        (probe, pieces) => {
          const attempt = probe.begin(random, 'vpn.example.org');
          for (const piece of pieces) finding(attempt.hear(piece));
        },
      ),
      { numRuns: 3000 },
    );
  });

  it('a changed octet of a true answer is met as well', () => {
    const attempt = begin('ikev2');
    const answer = ikeAnswer(attempt.opening, [notify(2, 14), notify(2, notifyTypes.cookie)]);
    fc.assert(
      fc.property(fc.nat(answer.length - 1), fc.nat(255), fc.nat(answer.length), (at, value, cut) => {
        const changed = answer.slice(0, cut);
        if (at < cut) changed[at] = value;
        finding(attempt.hear(changed));
      }),
      { numRuns: 2000 },
    );
  });

  it('an endless head is given up', () => {
    const attempt = begin('sstp');
    const piece = text(`HTTP/1.1 200 OK\r\nX: ${'a'.repeat(5000)}`);
    let reaction: Reaction = null;
    for (let count = 0; count < 20 && reaction === null; count += 1) reaction = attempt.hear(piece);
    expect(finding(reaction)).toMatch(/^other/);
  });
});

describe('what it means for the devices', () => {
  const on = { ipsec: 'enabled', pptp: 'disabled', l2tp: 'enabled' } as const;
  const byId = (id: string) => ALL.find((one) => one.id === id)!;

  it('says which switch is needed, and whether it is on', () => {
    expect(meaning(byId('ikev2'), { verdict: 'answered', detail: '' }, on)).toBe(
      'Devices need IPSec Passthrough for it, which is enabled.',
    );
    expect(meaning(byId('pptp'), { verdict: 'refused', detail: '' }, on)).toContain('disabled: turn it on');
    expect(meaning(byId('sstp'), { verdict: 'answered', detail: '' }, on)).toContain('no passthrough');
    expect(meaning(byId('wireguard'), { verdict: 'silent', detail: '' }, on)).toContain(
      'silence is not an answer',
    );
    expect(meaning(byId('pptp'), { verdict: 'closed', detail: '' }, on)).toBe('It is not offered there.');
  });

  it('answers whether passthrough is needed for this server', () => {
    const result = (id: string, verdict: 'answered' | 'silent') => ({ ...byId(id), verdict });
    expect(conclusion('x', [result('ikev2', 'answered'), result('sstp', 'answered')])).toBe(
      'Devices that use this server need IPSec Passthrough. SSTP needs no passthrough.',
    );
    expect(conclusion('x', [result('ikev2', 'silent')])).toContain('"x" answered none');
  });
});

// What a server of a failing connection answers to the gateway itself: the probes of core/probe, all at
// once, and a ping in two sizes. For the doctor, who has less time than `throughway probe`.
import { randomBytes } from 'node:crypto';
import { parseIpv4 } from '../core/address.ts';
import type { Reach } from '../core/doctor/connection-causes.ts';
import { ikeFromPort500Probe } from '../core/probe/ike.ts';
import { PROBES } from '../core/probe/probes.ts';
import { emitIcmp, icmpTypes, parseIcmp } from '../core/wire/icmp.ts';
import { ipProtocols } from '../core/wire/ipv4.ts';
import { askRaw, tryProbe, type Patience } from './probe.ts';

const PATIENCE: Patience = { repeatMs: [0, 900], patienceMs: 2_400 };
/** The least MTU that every network has (RFC 791 3.2: 576, less the headers). */
const SMALL_BYTES = 500;
const IPV4_AND_ICMP_BYTES = 28;

/** `mtuBytes` is the WAN's; a server whose connections work is only pinged. */
export async function reachOf(
  server: string,
  mtuBytes: number,
  isFailing: boolean,
  signal: AbortSignal,
): Promise<Reach> {
  const probes = isFailing ? [...PROBES, ikeFromPort500Probe] : [];
  const [ping, ...findings] = await Promise.all([
    pingBoth(server, mtuBytes),
    ...probes.map(async (probe) => {
      return [probe.id, await tryProbe(probe, server, server, signal, PATIENCE)] as const;
    }),
  ]);
  return {
    server,
    verdicts: Object.fromEntries(findings.map(([id, { verdict }]) => [id, verdict])),
    details: Object.fromEntries(findings.map(([id, { detail }]) => [id, detail])),
    ping,
  };
}

async function pingBoth(server: string, mtuBytes: number): Promise<Reach['ping']> {
  const [small, large] = await Promise.all([ping(server, SMALL_BYTES), ping(server, mtuBytes)]);
  if (small !== 'answer') return null;
  const fate = large === 'answer' ? 'answered' : large === 'silent' ? 'lost' : 'refused';
  return { large: fate, bytes: mtuBytes };
}

/** One echo of so many bytes that may not be cut into pieces: `answer`, `silent`, or an errno. */
function ping(server: string, bytes: number): Promise<string> {
  const address = parseIpv4(server);
  if (address === null) return Promise.resolve('silent');
  const identifier = randomBytes(2).readUInt16BE();
  const request = emitIcmp({
    kind: 'echo',
    type: icmpTypes.echoRequest,
    code: 0,
    identifier,
    sequence: 1,
    payload: new Uint8Array(bytes - IPV4_AND_ICMP_BYTES),
  });
  const isAnswer = (payload: Uint8Array): boolean => {
    const message = parseIcmp(payload);
    return (
      message.kind === 'echo' && message.type === icmpTypes.echoReply && message.identifier === identifier
    );
  };
  return askRaw({ protocol: ipProtocols.icmp, address, payload: request, isAnswer, whole: true }, PATIENCE);
}

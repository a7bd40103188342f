// The session machine's limits and what it gives back: as properties, whatever is heard.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fact as anyFact } from '../../../test/arbitrary-facts.ts';
import type { Fact } from './fact.ts';
import { trafficOf, type SessionRecord } from './session-record.ts';
import { parseSessionInput, renderSessionInput } from './session-transcript.ts';
import { SessionMachine, type SessionInput } from './sessions.ts';

const OPTIONS = { nextId: 1, espIdleMs: 3_600_000 };
const TCP = 'protocol=6 client=192.168.1.11 server=203.0.113.1 clientPort=40000 serverPort=1723';

it('what the machine hears beside facts reads as it was written', () => {
  for (const one of ['switches disabled=ipsec,l2tp', 'switches disabled=none', 'end id=7', 'taken-over'])
    expect(renderSessionInput(parseSessionInput(one))).toBe(one);
});

it('a session that is ended on request says what the kernel must forget', () => {
  const machine = new SessionMachine(OPTIONS);
  machine.handle(parseSessionInput(`flow change=new id=1 ${TCP} answered=true assured=true`), 1000);
  const effects = machine.handle({ kind: 'end', id: 1 }, 2000);
  expect(effects.map((one) => one.kind)).toEqual(['release', 'ended']);
  const [release] = effects;
  expect(release?.kind === 'release' && release.session.flows).toHaveLength(1);
  expect(machine.handle({ kind: 'end', id: 1 }, 3000)).toEqual([]);
});

describe('limits', () => {
  const limits = { sessions: 40, perDevice: 16, flowsPerSession: 4, sasPerSession: 4 };
  const call = (device: number, port: number, answered: boolean): Fact =>
    parseSessionInput(
      `flow change=new id=${device * 1000 + port} protocol=6 client=192.168.1.${device} server=203.0.113.1 clientPort=${port} serverPort=1723 answered=${answered} assured=false timeoutSeconds=600`,
    ) as Fact;

  it('a device that opens very many takes nothing from the others, and loses nothing that lives', () => {
    const machine = new SessionMachine({ ...OPTIONS, limits });
    for (let port = 1; port <= 5; port += 1) machine.handle(call(11, port, true), 100);
    for (let port = 1; port <= 3; port += 1) machine.handle(call(66, port, true), 100);
    const told = [];
    for (let port = 10; port < 500; port += 1)
      told.push(...machine.handle(call(66, port, false), 200 + port));
    const of = (device: number): Readonly<SessionRecord>[] =>
      [...machine.sessions()].filter((one) => one.client === `192.168.1.${device}`);
    expect(of(66)).toHaveLength(limits.perDevice);
    expect(of(66).filter((one) => one.lastIn !== null)).toHaveLength(3);
    expect(of(11)).toHaveLength(5);
    expect(told.filter((one) => one.kind === 'crowded')).toEqual([]);
  });

  it('when all that is there lives, the new one is not taken in, and that is said once', () => {
    const machine = new SessionMachine({ ...OPTIONS, limits });
    const told = [];
    for (let port = 1; port < 100; port += 1) told.push(...machine.handle(call(66, port, true), 100 + port));
    expect(told.filter((one) => one.kind === 'crowded')).toHaveLength(1);
    expect(told.filter((one) => one.kind === 'ended')).toEqual([]);
  });

  it('whatever is heard, the table stays within its limits and the sums never shrink', () => {
    const wakeUp = fc.constant(null);
    const switches = fc
      .subarray(['ipsec', 'pptp', 'l2tp'] as const)
      .map((disabled): SessionInput => ({ kind: 'switches', disabled }));
    const ends = fc.nat(50).map((id): SessionInput => ({ kind: 'end', id }));
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(
            fc.oneof(...Array<typeof anyFact>(8).fill(anyFact), switches, ends, wakeUp),
            fc.nat(60_000),
          ),
          {
            maxLength: 120,
          },
        ),
        (inputs) => {
          const machine = new SessionMachine({ ...OPTIONS, limits });
          const sums = new Map<number, number>();
          let now = 0;
          for (const [input, later] of inputs) {
            now += later;
            if (input === null) machine.wake(now);
            else machine.handle(input, now);
            const all = [...machine.sessions()];
            expect(all.length).toBeLessThanOrEqual(limits.sessions);
            const perDevice = new Map<string, number>();
            for (const one of all) {
              perDevice.set(one.client, (perDevice.get(one.client) ?? 0) + 1);
              expect(one.flows.length).toBeLessThanOrEqual(limits.flowsPerSession);
              expect(one.sas.length).toBeLessThanOrEqual(limits.sasPerSession);
              expect(one.state).not.toBe('ended');
              const sum = trafficOf(one).out.packets + trafficOf(one).in.packets;
              expect(sum).toBeGreaterThanOrEqual(sums.get(one.id) ?? 0);
              sums.set(one.id, sum);
            }
            expect(Math.max(0, ...perDevice.values())).toBeLessThanOrEqual(limits.perDevice);
          }
          // Left alone, everything ends.
          for (let round = 0; machine.nextWake() !== null && round < 20_000; round += 1) {
            machine.wake(machine.nextWake()!);
          }
          expect(
            [...machine.sessions()].filter((one) => one.flows.every((flow) => flow.expiresAt !== null)),
          ).toEqual([]);
        },
      ),
    );
  });
});

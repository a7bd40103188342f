// Conversations with the session machine: what is heard behind `>>` goes in, and the whole, with what
// came out behind `<<`, must be as it is written. The machine wakes whenever it wants to in between;
// `missed copies=0` lets time pass.
import { expect } from 'vitest';
import type { SessionRecord } from '../src/core/alg/session-record.ts';
import {
  parseSessionInput,
  renderSessionEffect,
  renderSessionInput,
} from '../src/core/alg/session-transcript.ts';
import { SessionMachine, type SessionInput } from '../src/core/alg/sessions.ts';
import { parseTranscript } from '../src/core/alg/transcript.ts';

export const OPTIONS = { nextId: 1, espIdleMs: 3_600_000 };

/** Plays what stands behind `>>`, letting the machine wake in between, and gives the whole conversation. */
export function converse(machine: SessionMachine, transcript: string): string {
  const lines: string[] = [];
  const say = (at: number, mark: string, what: string): number =>
    lines.push(`${(at / 1000).toFixed(3)} ${mark} ${what}`);
  for (const { at, mark, rest } of parseTranscript(transcript)) {
    // What the pairing machine decided stands as said in a trace, and the session machine heard it.
    if (mark === '<<' && !/^(pair|unpair|collision) /.test(rest)) continue;
    for (;;) {
      const due = machine.nextWake();
      if (due === null || due > at) break;
      for (const effect of machine.wake(due)) say(due, '<<', renderSessionEffect(effect));
    }
    if (rest === 'missed copies=0') continue;
    say(at, mark, rest);
    for (const effect of machine.handle(parseSessionInput(rest), at))
      say(at, '<<', renderSessionEffect(effect));
  }
  return lines.join('\n');
}

/** The conversation goes exactly like this. */
export function expectConversation(
  transcript: string,
  machine = new SessionMachine(OPTIONS),
): SessionMachine {
  const wanted = transcript
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.includes('missed copies=0') && !line.startsWith('#'));
  expect(converse(machine, transcript).split('\n')).toEqual(wanted);
  return machine;
}

export const line = (input: SessionInput): string => renderSessionInput(input)!;

export function only(machine: SessionMachine): Readonly<SessionRecord> {
  const all = [...machine.sessions()];
  expect(all).toHaveLength(1);
  return all[0]!;
}

// Conversations with the pairing machine: every file in transcripts/ is what it hears (`>>`), and what it
// then wants (`<<`), written by `npm run golden`; what `throughway run --trace` has written may be put there as
// it is. The wake-ups in between happen by themselves.
import { readdirSync, readFileSync } from 'node:fs';
import { EspPairing } from '../../src/core/alg/esp-pairing.ts';
import type { PairingEffect } from '../../src/core/alg/fact.ts';
import { isForSessionsAlone } from '../../src/core/alg/session-transcript.ts';
import { parseFact, parseTranscript, renderLine, renderPairingEffect } from '../../src/core/alg/transcript.ts';

export interface GoldenTranscript {
  readonly name: string;
  readonly path: URL;
  readonly expected: string;
  /** What the machine makes of it now. */
  readonly text: string;
}

export function goldenTranscripts(): GoldenTranscript[] {
  const folder = new URL('transcripts/', import.meta.url);
  return readdirSync(folder).map((name) => {
    const path = new URL(name, folder);
    const expected = readFileSync(path, 'utf8');
    return { name, path, expected, text: replay(expected) };
  });
}

/** A transcript with what the machine makes of what it hears in it. */
export function replay(transcript: string): string {
  const machine = new EspPairing();
  const comments = transcript.split('\n').filter((line) => line.startsWith('#'));
  const lines: string[] = [];
  const say = (at: number, effects: readonly PairingEffect[]): void => {
    for (const effect of effects) lines.push(renderLine({ at, mark: '<<', rest: renderPairingEffect(effect) }));
  };
  for (const line of parseTranscript(transcript)) {
    if (line.mark === '<<' || isForSessionsAlone(line.rest)) continue;
    for (let due = machine.nextWake(); due !== null && due <= line.at; due = machine.nextWake()) {
      say(due, machine.wake(due));
    }
    lines.push(renderLine(line));
    say(line.at, machine.handle(parseFact(line.rest), line.at));
  }
  return [...comments, ...lines, ''].join('\n');
}

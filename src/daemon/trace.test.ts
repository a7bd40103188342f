import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { converse, OPTIONS } from '../../test/session-conversation.ts';
import { parseSessionInput } from '../core/alg/session-transcript.ts';
import { SessionMachine } from '../core/alg/sessions.ts';
import { parseFact, parsePairingEffect, parseTranscript } from '../core/alg/transcript.ts';
import { Failure } from './failure.ts';
import { openRecords } from './records.ts';
import { Trace } from './trace.ts';

const FACTS = [
  'esp-sent client=192.168.1.11 server=203.0.113.1 packet=0x00001001#1+84',
  'flow change=new id=1 protocol=6 client=192.168.1.12 server=203.0.113.1 clientPort=40000 serverPort=1723 answered=false assured=false timeoutSeconds=120',
  'recognised protocol=sstp guessed=true transport=tcp client=192.168.1.12 server=203.0.113.2 clientPort=40001 serverPort=443 serverName="vpn.company.example"',
];
const PAIR =
  'pair server=203.0.113.1 spi=0x00002001 client=192.168.1.11 confidence=certain trial=false evidence="Only 192.168.1.11 negotiates."';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'trace-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function record(masked: boolean): string {
  const path = join(folder, `${masked}.txt`);
  const trace = new Trace(path, masked, () => undefined);
  const records = openRecords({
    folder: join(folder, `${masked}`),
    log: () => undefined,
    trace,
    onTrouble: () => undefined,
    lanLinks: () => [],
    release: () => Promise.resolve({ connections: 0, associations: 0 }),
  });
  for (const line of FACTS) records.sessions.hear(parseSessionInput(line));
  records.sessions.decided(parsePairingEffect(PAIR));
  records.sessions.decided(parsePairingEffect('release held=3'));
  records.sessions.switch(['pptp']);
  records.close();
  return readFileSync(path, 'utf8');
}

it('a trace is a transcript: played again it says the same', () => {
  const text = record(false);
  const lines = parseTranscript(text);
  expect(lines.filter(({ mark }) => mark === '>>').map(({ rest }) => rest)).toEqual([
    ...FACTS,
    'switches disabled=pptp',
  ]);
  expect(lines.map(({ rest }) => rest)).toContain(PAIR);
  const written = lines.filter(({ rest }) => rest !== 'release held=3');
  const again = parseTranscript(converse(new SessionMachine(OPTIONS), text));
  expect(again.map(({ mark, rest }) => `${mark} ${rest}`)).toEqual(
    written.map(({ mark, rest }) => `${mark} ${rest}`),
  );
  expect(again.length).toBeGreaterThan(FACTS.length + 4);
});

it('masked, it names no address and no host, and is a transcript all the same', () => {
  const text = record(true);
  expect(text).not.toMatch(/192\.168\.1\.|203\.0\.113\.|company/);
  const facts = parseTranscript(text).filter(
    ({ mark, rest }) => mark === '>>' && !rest.startsWith('switches'),
  );
  expect(facts.map(({ rest }) => parseFact(rest).kind)).toEqual(['esp-sent', 'flow', 'recognised']);
});

it('a file that cannot be written is refused before anything begins', () => {
  expect(() => new Trace(join(folder, 'none', 'x'), false, () => undefined)).toThrow(Failure);
});

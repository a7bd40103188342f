// `throughway reflector` and `throughway selftest --through`: two machines with a gateway and a provider between
// them. What the provider drops must be named, and which way it is lost; and the reflector must be of no use to
// anybody who does not know its token.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Ipv4Address } from '../../src/core/address.ts';
import { CROSSINGS, dress } from '../../src/core/reflector/crossings.ts';
import type { Outcome } from '../../src/core/reflector/judgement.ts';
import { emitMark, type Seal } from '../../src/core/reflector/mark.ts';
import { readLines } from '../../src/daemon/reflector/lines.ts';
import type { PathReport } from '../../src/daemon/reflector/near.ts';
import { makeNonce, makeToken, proofOf, sealOf } from '../../src/daemon/reflector/secrets.ts';
import { wall } from '../asking-doctor.ts';
import type { Namespace } from '../namespaces.ts';
import { UdpPeer } from '../peers/udp.ts';
import { scenario, type Scenario } from '../scenario.ts';
import { connectTcp, UdpSocket } from '../sockets.ts';
import type { Host, Household } from '../topologies/household.ts';
import { claim, claimEqual, until } from '../wait.ts';

const PROGRAM = fileURLToPath(new URL('../../bin/throughway', import.meta.url));
const PORT = 7500;
const READY_MS = 20_000;

interface Far {
  readonly token: string;
  readonly said: () => string;
  stop(): Promise<number | null>;
}

/** Starts the reflector on a host and waits until it has said what it opens. */
async function reflect(household: Household, { namespace }: Host, ...options: string[]): Promise<Far> {
  const child = namespace.start('setpriv', ['--pdeathsig', 'KILL', PROGRAM, 'reflector', ...options], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout!, child.stderr!])
    stream.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
  const ended = new Promise<number | null>((resolve) => child.once('exit', (status) => resolve(status)));
  household.onClose(() => void child.kill('SIGKILL'));
  const token = await until(
    'the token of the reflector',
    () => /--token (\S+)/.exec(said)?.[1],
    READY_MS,
    () => said,
  );
  return {
    token,
    said: () => said,
    stop: () => {
      child.kill('SIGINT');
      return ended;
    },
  };
}

function run(
  namespace: Namespace,
  ...args: string[]
): Promise<{ status: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile('ip', ['netns', 'exec', namespace.name, PROGRAM, ...args], (error, stdout, stderr) => {
      resolve({ status: typeof error?.code === 'number' ? error.code : error ? 1 : 0, stdout, stderr });
    });
  });
}

async function testPath(
  household: Household,
  { namespace }: { readonly namespace: Namespace },
  to: Ipv4Address,
  token: string,
): Promise<{ report: PathReport & { conclusion: string }; status: number; found: Record<string, Outcome> }> {
  const socket = household.daemon.socket;
  const { stdout, stderr, status } = await run(
    namespace,
    'selftest',
    '--through',
    to,
    '--token',
    token,
    '--json',
    '--socket',
    socket,
  );
  claim(stdout.startsWith('{'), `it prints JSON: ${stdout}${stderr}`);
  const report = JSON.parse(stdout) as PathReport & { conclusion: string };
  claim(report.took_ms < 15_000, `it ends within 15 seconds, and took ${report.took_ms} ms`);
  return { report, status, found: Object.fromEntries(report.results.map((one) => [one.id, one.outcome])) };
}

const sentences = (report: PathReport): string =>
  report.results.map((one) => `${one.id}: ${one.outcome} (${one.sentence})`).join(' | ');

/** What the provider drops of each kind, and the crossings that must be named for it. */
const DROPPED: readonly { readonly rule: string; readonly ids: readonly string[] }[] = [
  { rule: 'ip protocol gre', ids: ['gre'] },
  { rule: 'ip protocol esp', ids: ['esp', 'esp-large', 'esp-fragments'] },
  { rule: 'udp @TH 4500', ids: ['nat-t', 'nat-t-esp', 'nat-t-large'] },
  { rule: 'ip frag-off & 0x1fff != 0', ids: ['ike-fragments', 'esp-fragments'] },
];

function droppedBy(number: number, direction: 'there' | 'back'): Scenario {
  const outcome = direction === 'there' ? 'lost there' : 'lost back';
  return scenario(
    `D${number}`,
    `reflector: what the provider drops on the way ${direction} is named, with the direction`,
    async (household) => {
      const { device, server } = household;
      const far = await reflect(household, server);
      const side = direction === 'there' ? `ip daddr ${server.address}` : `ip saddr ${server.address}`;
      const port = direction === 'there' ? 'dport' : 'sport';
      wall(household, ...DROPPED.map(({ rule }) => `${side} ${rule.replace('@TH', port)}`));
      const { report, status, found } = await testPath(household, device, server.address, far.token);
      const lost = new Set(DROPPED.flatMap(({ ids }) => ids));
      for (const { id } of CROSSINGS)
        claimEqual(found[id], lost.has(id) ? outcome : 'passes', `${id} in ${sentences(report)}`);
      claimEqual(status, 1, 'the exit status');
      for (const name of ['PPTP data (GRE)', 'raw ESP (IP protocol 50)', 'UDP 4500', 'in fragments'])
        claim(report.conclusion.includes(name), `"${report.conclusion}" names "${name}"`);
    },
  );
}

/** A session of the control connection, from a host that knows the token or thinks it does. */
async function agree(
  household: Household,
  from: Host,
  server: Host,
  token: string,
): Promise<{ seal: Seal; answer: Record<string, unknown>; close: () => void }> {
  const lines = readLines(await connectTcp(from, server.address, PORT));
  household.onClose(() => lines.close());
  const hello = await lines.next(5_000);
  const nonces = { far: String(hello['nonce']), near: makeNonce() };
  lines.send({ nonce: nonces.near, proof: proofOf(token, 'near', nonces) });
  return { seal: sealOf(token, nonces), answer: await lines.next(5_000), close: () => lines.close() };
}

export const reflectorScenarios: readonly Scenario[] = [
  scenario(
    'D4',
    'reflector: a whole path is tried from a device, with traffic that goes on',
    async (household) => {
      const { devices, device, server, ledger, wan } = household;
      const near = new UdpPeer(household, devices[1]!, 4500);
      const other = new UdpPeer(household, household.servers[1]!, 4500);
      near.send(other.host.address, 4500, other.host);
      await ledger.settle();
      const far = await reflect(household, server);
      const going = setInterval(() => near.send(other.host.address, 4500, other.host), 50);
      household.onClose(() => clearInterval(going));
      const { report, status, found } = await testPath(household, device, server.address, far.token);
      clearInterval(going);
      for (const { id } of CROSSINGS) claimEqual(found[id], 'passes', `${id} in ${sentences(report)}`);
      claimEqual(status, 0, 'the exit status');
      claim(report.from.startsWith(`${wan}:`), `the far end sees the WAN address: "${report.from}"`);
      // Everything that was sent meanwhile has arrived.
      await ledger.settle();
      other.send(wan, other.received.at(-1)!.sourcePort, devices[1]!);
      await ledger.settle();
      const again = ['selftest', '--through', server.address, '--token', far.token];
      const inWords = await run(device.namespace, ...again);
      claim(
        /^passes +raw ESP \(IP protocol 50\): 3 of 3 went there and back\.$/m.test(inWords.stdout) &&
          inWords.stdout.includes('All that was tried comes through in both directions.'),
        `it is said in words too: ${inWords.stdout}${inWords.stderr}`,
      );
      claimEqual(await far.stop(), 0, 'the exit status of the reflector after Ctrl-C');
      const closed = await run(device.namespace, ...again);
      claim(
        closed.status === 1 && closed.stderr.includes('No reflector answers'),
        `a closed one is named: ${closed.stderr}`,
      );
    },
  ),

  scenario('D5', 'reflector: the gateway itself tries the path', async (household) => {
    const { gateway, server } = household;
    const far = await reflect(household, server);
    const { report, status, found } = await testPath(
      household,
      { namespace: gateway },
      server.address,
      far.token,
    );
    for (const { id } of CROSSINGS) claimEqual(found[id], 'passes', `${id} in ${sentences(report)}`);
    claimEqual(status, 0, 'the exit status');
    const esp = report.results.find(({ id }) => id === 'esp')!;
    claim(esp.sentence.includes('only be tried from a device'), `of ESP: "${esp.sentence}"`);
  }),

  droppedBy(6, 'there'),
  droppedBy(7, 'back'),

  scenario('D8', 'reflector: whoever does not know the token gets nothing', async (household) => {
    const { servers, device, server } = household;
    const stranger = servers[1]!;
    const far = await reflect(household, server);
    const heard: { port: number; length: number }[] = [];
    const sockets = [500, 4500, 1701, 1194, 51_820].map((port) => {
      const socket = new UdpSocket(stranger, 0, ({ sourcePort, payload }) => {
        heard.push({ port: sourcePort, length: payload.length });
      });
      household.onClose(() => socket.close());
      return { port, socket };
    });
    const refused = await agree(household, stranger, server, makeToken());
    claimEqual(refused.answer, { refused: 'token' }, 'the answer to a wrong token');
    await until('the reflector to say so', () => far.said().includes('does not know the token'));
    const question = (seal: Seal, crossing: number, number: number, isAnswer = false): Uint8Array =>
      dress(CROSSINGS[crossing]!, {
        mark: emitMark({ crossing, isAnswer, number, reply: 0x1234 }, seal),
        isAnswer: false,
        label: 0x1234,
        number,
      });
    const send = (crossing: number, bytes: Uint8Array): void => {
      const { port } = CROSSINGS[crossing]!;
      sockets.find((one) => one.port === port)!.socket.send(server.address, port!, bytes);
    };
    const udp = CROSSINGS.flatMap(({ carrier }, index) => (carrier === 'udp' ? [index] : []));
    for (const crossing of udp) {
      send(crossing, question(refused.seal, crossing, 0));
      send(crossing, new Uint8Array(64).fill(crossing));
      send(crossing, new Uint8Array());
    }
    // Whoever knows it is answered: each question once, and never with more.
    const { seal, answer, close } = await agree(household, stranger, server, far.token);
    claim(Array.isArray(answer['opened']), `the token is taken: ${JSON.stringify(answer)}`);
    const second = await agree(household, device, server, far.token);
    claimEqual(second.answer, { refused: 'busy' }, 'the answer to a second one meanwhile');
    const sent = new Map<number, number>();
    for (const crossing of udp) {
      const bytes = question(seal, crossing, 1);
      for (let again = 0; again < 3; again += 1) send(crossing, bytes);
      send(crossing, question(seal, crossing, 2, true));
      sent.set(crossing, bytes.length);
    }
    await until(
      'an answer to each question',
      () => heard.length >= udp.length,
      5_000,
      () => JSON.stringify(heard),
    );
    claimEqual(heard.length, udp.length, `answers, one for each question: ${JSON.stringify(heard)}`);
    const longest = (port: number): number =>
      Math.max(...udp.map((one) => (CROSSINGS[one]!.port === port ? sent.get(one)! : 0)));
    for (const { port, length } of heard)
      claim(length <= longest(port), `${length} octets from ${port} are no more than ${longest(port)}`);
    // A flood from who knows it stays within bounds.
    for (let number = 10; number < 1_010; number += 1) send(0, question(seal, 0, number));
    const lines = (): RegExpExecArray | null => /is done: (\d+) packets were answered/.exec(far.said());
    close();
    const done = await until('the end of the session', lines);
    claim(Number(done[1]) <= 150, `a session has at most 150 packets, and had ${done[1]}`);
    claim(heard.length <= 150, `answers: ${heard.length}`);
  }),

  scenario('D9', 'reflector: what cannot be opened and what is typed wrongly is named', async (household) => {
    const { device, server } = household;
    const taken = new UdpSocket(server, 500, () => undefined);
    household.onClose(() => taken.close());
    const far = await reflect(household, server, '--minutes', '1', '--listen', server.address);
    claim(
      far.said().includes('UDP 500 of the far end is in use') && far.said().includes('Open until'),
      `it says what it opens: ${far.said()}`,
    );
    const { report, found } = await testPath(household, device, server.address, far.token);
    claimEqual(found['ike'], 'not tried', sentences(report));
    claimEqual(found['nat-t'], 'passes', sentences(report));
    const wrong: readonly (readonly [string[], number, string])[] = [
      [['selftest', '--through', server.address], 2, '--token'],
      [['selftest', '--through', server.address, '--token', 'abc'], 2, '"abc"'],
      [['selftest', '--through', 'a b', '--token', far.token], 1, '"a b"'],
      [['selftest', '--through', server.address, '--token', makeToken()], 1, 'does not know the token'],
      [['selftest', '--token', far.token], 2, '--through'],
      [['reflector', '--minutes', '0'], 2, '"0"'],
      [['reflector', '--listen', 'nowhere'], 2, '"nowhere"'],
    ];
    for (const [args, status, word] of wrong) {
      const tried = await run(device.namespace, ...args);
      claim(
        tried.status === status && tried.stderr.includes(word),
        `"${args.join(' ')}" ends with ${status} and names ${word}: ${tried.status} ${tried.stderr}`,
      );
    }
    const second = await run(server.namespace, 'reflector');
    claim(second.status === 1 && second.stderr.includes('TCP 7500'), `a second one: ${second.stderr}`);
  }),
];

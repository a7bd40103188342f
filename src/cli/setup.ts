// `throughway setup`: from an installed package to a working gateway. Asks on a terminal, or takes the flags
// and its own proposals with --yes; shows everything before it changes anything.
import type { Choices, SetupPlan } from '../daemon/setup/plan.ts';
import type { Survey } from '../daemon/setup/survey.ts';
import { openAsker, type Asker } from './ask.ts';
import {
  complain,
  configOption,
  DEFAULTS,
  print,
  stateDirOption,
  UsageError,
  type Command,
  type Given,
} from './command.ts';

/** How long the administrator has to say that the machine can still be reached. */
const CONFIRM_SECONDS = 90;

export const setupCommand: Command = {
  name: 'setup',
  args: [],
  summary: 'set this machine up as a gateway, with questions or with flags',
  options: [
    { name: 'wan', value: 'INTERFACE', help: 'the interface towards the internet' },
    { name: 'lan', value: 'INTERFACES', help: 'those towards the devices, separated by commas' },
    { name: 'wan-services', value: 'LIST', help: 'what stays open to the WAN, such as tcp/22 (or "none")' },
    { name: 'dnsmasq', value: null, help: 'give the devices addresses and names by dnsmasq' },
    { name: 'yes', value: null, help: 'ask nothing and take what is proposed' },
    { name: 'dry-run', value: null, help: 'show the plan and change nothing' },
    configOption,
    stateDirOption,
  ],
  async run(given) {
    // Loaded only here, so that the other commands start quickly.
    const { surveyMachine } = await import('../daemon/setup/survey.ts');
    const { planSetup } = await import('../daemon/setup/plan.ts');
    const { applySetup, existingConfig, undoSetup } = await import('../daemon/setup/apply.ts');
    const { Failure } = await import('../daemon/failure.ts');
    const places = {
      config: given.text('config') ?? DEFAULTS.config,
      stateDir: given.text('state-dir') ?? DEFAULTS.stateDir,
    };
    const asks = !given.flag('yes') && !given.flag('dry-run');
    if (asks && !process.stdin.isTTY)
      throw new UsageError(
        'There is no terminal to ask on. Add --yes to take what is proposed, or --dry-run to see it.',
      );
    const asker = asks ? openAsker() : null;
    try {
      if (existingConfig(places.config) !== null && !given.flag('dry-run')) {
        complain(
          `"${places.config}" is there already, and setup never writes over it. Change it and check it with "throughway check-config ${places.config}", or move it away first.`,
        );
        return 1;
      }
      const survey = await surveyMachine();
      const choices = await choose(survey, given, asker);
      const plan = planSetup(survey, choices);
      showPlan(plan, survey, choices, places.config);
      if (plan.problems.length > 0) {
        for (const problem of plan.problems) complain(problem);
        return 1;
      }
      if (given.flag('dry-run')) return 0;
      if (asker && !isYes(await asker.ask('\nDo this? [y/N] '))) {
        print('Nothing was changed.');
        return 1;
      }
      await applySetup(plan, places, survey.hasSystemd);
      if (!survey.hasSystemd) {
        print(
          `"${places.config}" is written. There is no systemd here: start the gateway with "throughway run".`,
        );
        return 0;
      }
      if (asker && !(await isConfirmed(asker))) {
        await undoSetup(plan, places, survey.hasSystemd);
        complain('Nobody confirmed, so everything is as it was before.');
        return 1;
      }
      print(whatNext(survey, choices));
      return 0;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      complain(error.message);
      return error.code === 'no-permission' ? 4 : 1;
    } finally {
      asker?.close();
    }
  },
};

async function choose(survey: Survey, given: Given, asker: Asker | null): Promise<Choices> {
  const { proposeSides, remoteShellService } = await import('../daemon/setup/plan.ts');
  const proposed = proposeSides(survey);
  const ask = async (question: string, proposal: string): Promise<string> =>
    (asker ? (await asker.ask(`${question}${proposal ? ` [${proposal}]` : ''}: `)).trim() : '') || proposal;
  /** Asked again while a name is no interface: a slip of the finger must not end it. */
  const askNames = async (question: string, proposal: string): Promise<string> => {
    for (;;) {
      const answer = await ask(question, proposal);
      const unknown = asker ? unknownNames(survey, splitList(answer)) : [];
      if (unknown.length === 0) return answer;
      print(`  "${unknown.join('", "')}" is no interface of this machine.`);
    }
  };
  if (asker) print(`The interfaces of this machine:\n${renderLinks(survey)}\n`);
  const wan =
    given.text('wan') ?? (await askNames('Interface towards the internet (WAN)', proposed.wan ?? ''));
  if (wan === '')
    throw new UsageError(
      'No interface has a default route, so none can be proposed. Name it with --wan INTERFACE.',
    );
  const others = proposed.lan.filter((one) => one !== wan).join(',');
  const lan =
    given.text('lan') ??
    (await askNames('Interfaces towards the devices (LAN), separated by commas', others));
  if (lan === '')
    throw new UsageError(
      'No second interface stands out as the LAN. Name it with --lan INTERFACE; with a single port, make a VLAN first (see docs/single-port.md).',
    );
  const shell = remoteShellService(survey, wan);
  let services = shell === null ? '' : shell;
  const typed = given.text('wan-services');
  if (typed !== undefined) services = typed === 'none' ? '' : typed;
  else if (asker && shell !== null) {
    const answer = await asker.ask(`You came in from the WAN by ${shell}. Keep it open there? [Y/n] `);
    if (answer.trim() !== '' && !isYes(answer)) services = '';
  }
  const dnsmasq =
    given.flag('dnsmasq') ||
    (asker !== null &&
      survey.hasDnsmasq &&
      isYes(await asker.ask('Give the devices addresses and names by dnsmasq? [y/N] ')));
  return { wan, lan: splitList(lan), wanServices: splitList(services), dnsmasq };
}

function unknownNames({ links }: Survey, names: readonly string[]): string[] {
  return names.filter((name) => !links.some((one) => one.name === name));
}

/** Where the page is, and how the first account is made. */
function whatNext({ links }: Survey, { lan }: Choices): string {
  const address = links
    .filter(({ name }) => lan.includes(name))
    .flatMap(({ addresses }) => addresses)
    .map((one) => one.split('/')[0]!)
    .find((one) => !one.includes(':'));
  const page =
    address === undefined
      ? ''
      : `\nIts page is at http://${address}/ for the devices behind it; "throughway user first-code" prints the code for the first account.`;
  return `The gateway runs. "throughway status" shows it.${page}`;
}

function splitList(text: string): string[] {
  return text
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '');
}

function isYes(answer: string): boolean {
  return /^y(es)?$/i.test(answer.trim());
}

function renderLinks({ links, routed }: Survey): string {
  const shown = links.filter((one) => !one.isLoopback && !one.isPort);
  const width = Math.max(4, ...shown.map((one) => one.name.length));
  return shown
    .map((one) => {
      const marks = [
        one.up ? 'up' : 'down',
        ...one.addresses,
        ...(routed[0] === one.name ? ['default route'] : []),
      ];
      return `  ${one.name.padEnd(width)}  ${marks.join(', ')}`;
    })
    .join('\n');
}

/** As a diff: what is added, and what changes. */
function showPlan(plan: SetupPlan, survey: Survey, { lan }: Choices, configPath: string): void {
  const added = (path: string, text: string): string[] => [
    `--- /dev/null`,
    `+++ ${path}`,
    ...text
      .trimEnd()
      .split('\n')
      .map((line) => `+${line}`),
  ];
  const lines = ['What is added (+) and changed (- to +):', '', ...added(configPath, plan.config)];
  if (plan.dnsmasq !== null) lines.push(...added('/etc/dnsmasq.d/throughway.conf', plan.dnsmasq));
  for (const { name, from, to } of survey.changedSysctls(lan))
    lines.push(`-${name} = ${from}`, `+${name} = ${to}`);
  lines.push('+table inet throughway (nftables)');
  if (survey.hasSystemd) lines.push('+throughway.service enabled and started');
  print(lines.join('\n'));
  for (const warning of plan.warnings) print(`! ${warning}`);
}

/** Asks until the time is over; a terminal that is gone is a no. */
async function isConfirmed(asker: Asker): Promise<boolean> {
  // A shell that was cut off must not end the program before it has taken everything back.
  process.on('SIGHUP', () => undefined);
  const answer = await asker.ask(
    `The gateway runs. Type yes within ${CONFIRM_SECONDS} seconds if you still reach this machine; else all is taken back: `,
    CONFIRM_SECONDS * 1000,
  );
  return isYes(answer);
}

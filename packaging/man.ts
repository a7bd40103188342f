// The man pages, from what `--help` and the schema are made of: throughway(8) from the table of commands,
// throughway.yaml(5) from the schema. man(7), man-pages(7).
import { DEFAULTS, type Command } from '../src/cli/command.ts';
import { EXIT_STATUSES, SUMMARY } from '../src/cli/help.ts';
import { schemaTree, type SchemaNode } from '../src/core/config/reference.ts';

const escape = (text: string): string =>
  text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll(/^([.'])/gm, '\\&$1');
const bold = (text: string): string => `\\fB${escape(text)}\\fR`;
const italic = (text: string): string => `\\fI${escape(text)}\\fR`;

/** Of which version the pages are, and of what time. */
export interface Edition {
  readonly version: string;
  readonly epochSeconds: number;
}

function page(name: string, section: number, edition: Edition, summary: string): string[] {
  const date = new Date(edition.epochSeconds * 1000).toISOString().slice(0, 10);
  return [
    `.TH ${name.toUpperCase()} ${section} "${date}" "Throughway ${edition.version}" "Throughway"`,
    '.SH NAME',
    `${escape(name)} \\- ${escape(summary)}`,
  ];
}

export function renderCommandsPage(commands: readonly Command[], edition: Edition): string {
  const lines = [
    ...page('throughway', 8, edition, SUMMARY.replace(/\.$/, '')),
    '.SH SYNOPSIS',
    `.B throughway\n.I COMMAND\n[${italic('OPTION')}...]`,
    '.SH DESCRIPTION',
    escape(
      'Throughway turns a Linux machine with a LAN and a WAN side into the router behind which the VPN connections of every device pass: PPTP, L2TP and IPsec, any number of devices, also to the same server.',
    ),
    '.PP',
    escape(
      'The rules are in the kernel, in one nftables table, "inet throughway". Stopping the daemon leaves them in force, and traffic goes on; "throughway down" takes them away.',
    ),
    '.SH COMMANDS',
  ];
  for (const command of commands) {
    lines.push(`.SS ${[bold(command.name), ...command.args.map(italic)].join(' ')}`);
    lines.push(`${escape(command.summary[0]!.toUpperCase() + command.summary.slice(1))}.`);
    for (const { name, value, help } of command.options) {
      lines.push('.TP', `${bold(`--${name}`)}${value === null ? '' : ` ${italic(value)}`}`, escape(help));
    }
  }
  lines.push('.SH EXIT STATUS');
  for (const [status, meaning] of EXIT_STATUSES) lines.push('.TP', bold(String(status)), escape(meaning));
  lines.push(
    '.SH ENVIRONMENT',
    '.TP',
    bold('NO_COLOR'),
    escape('When it is set, no command prints colours.'),
  );
  lines.push('.SH FILES');
  const files: [string, string][] = [
    [DEFAULTS.config, 'the configuration, see throughway.yaml(5)'],
    [DEFAULTS.stateDir, 'what is kept between two runs'],
    [DEFAULTS.socket, 'where the daemon answers'],
  ];
  for (const [file, what] of files) lines.push('.TP', italic(file), escape(what));
  lines.push('.SH SEE ALSO', `${bold('throughway.yaml')}(5), ${bold('nft')}(8), ${bold('systemctl')}(1)`);
  return `${lines.join('\n')}\n`;
}

export function renderConfigPage(edition: Edition): string {
  const lines = [
    ...page('throughway.yaml', 5, edition, 'configuration of the VPN passthrough gateway'),
    '.SH DESCRIPTION',
    escape(
      `The file is YAML, by default ${DEFAULTS.config}. "throughway check-config FILE" names every problem of a file at once. A broken file changes nothing.`,
    ),
    '.PP',
    escape('The least that is needed:'),
    '.PP',
    '.nf',
    '.RS',
    escape('version: 1\ninterfaces:\n  wan: eth0\n  lan: [eth1]'),
    '.RE',
    '.fi',
    '.SH SETTINGS',
  ];
  const walk = (name: string, node: SchemaNode): void => {
    for (const [key, setting] of Object.entries(node.properties ?? {})) {
      const path = name ? `${name}.${key}` : key;
      if (setting.properties) {
        lines.push(`.SS ${escape(path)}`, escape(setting.description ?? setting.title ?? ''));
        walk(path, setting);
        continue;
      }
      lines.push('.TP', bold(path), escape([setting.title, setting.description].filter(Boolean).join(': ')));
      const facts = [allowed(setting), fallback(setting)].filter(Boolean).join('; ');
      if (facts) lines.push('.br', escape(`${facts[0]!.toUpperCase()}${facts.slice(1)}.`));
    }
  };
  walk('', schemaTree());
  lines.push('.SH SEE ALSO', `${bold('throughway')}(8)`);
  return `${lines.join('\n')}\n`;
}

function allowed(setting: SchemaNode): string {
  if (setting.const !== undefined) return `allowed: ${JSON.stringify(setting.const)}`;
  if (setting.enum) return `allowed: ${setting.enum.join(' or ')}`;
  if (setting.minimum !== undefined && setting.maximum !== undefined)
    return `allowed: ${setting.minimum} to ${setting.maximum} ${setting.unit ?? ''}`.trim();
  if (setting.type === 'boolean') return 'allowed: true or false';
  return setting.type === 'array' ? 'a list' : '';
}

function fallback(setting: SchemaNode): string {
  return setting.default === undefined ? '' : `default: ${JSON.stringify(setting.default)}`;
}

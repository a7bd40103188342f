// The reference of the configuration as Markdown, from the schema alone, so that it cannot be wrong.
import { z } from 'zod';
import { configSchema } from './schema.ts';

/** A part of the schema as JSON Schema has it. */
export interface SchemaNode {
  readonly title?: string;
  readonly description?: string;
  readonly unit?: string;
  readonly default?: unknown;
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly items?: SchemaNode;
}

/** The whole schema, as a file may have it. */
export function schemaTree(): SchemaNode {
  return z.toJSONSchema(configSchema, { io: 'input' }) as SchemaNode;
}

/** One section for each group of settings, one row for each setting. */
export function renderReference(): string {
  const root = schemaTree();
  const lines = [
    '# Configuration',
    '',
    'The file is YAML, by default `/etc/throughway/config.yaml`. `throughway check-config FILE` names every problem of a',
    'file at once. After a change by hand, send the daemon SIGHUP; a broken file changes nothing. This page is made from',
    'the schema by `npm run golden`.',
  ];
  const group = (name: string, node: SchemaNode): void => {
    lines.push(
      '',
      `## ${name || 'The file'}`,
      '',
      node.description ?? '',
      '',
      '| setting | meaning | allowed | default |',
      '|---|---|---|---|',
    );
    for (const [key, setting] of Object.entries(node.properties ?? {})) {
      if (setting.properties) continue;
      const meaning = [setting.title, setting.description].filter(Boolean).join(': ');
      const fallback =
        setting.default === undefined ? 'none, must be given' : `\`${JSON.stringify(setting.default)}\``;
      lines.push(`| \`${name ? `${name}.` : ''}${key}\` | ${meaning} | ${allowed(setting)} | ${fallback} |`);
    }
  };
  group('', root);
  for (const [key, setting] of Object.entries(root.properties ?? {}))
    if (setting.properties) group(key, setting);
  return `${lines.join('\n')}\n`;
}

function allowed(setting: SchemaNode): string {
  if (setting.const !== undefined) return `\`${JSON.stringify(setting.const)}\``;
  if (setting.enum) return setting.enum.map((one) => `\`${String(one)}\``).join(' or ');
  if (setting.type === 'integer')
    return `${setting.minimum} to ${setting.maximum} ${setting.unit ?? ''}`.trim();
  if (setting.type === 'array') return 'a list such as `[a, b]`';
  return setting.type === 'boolean' ? '`true` or `false`' : 'a text';
}

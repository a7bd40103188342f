// The configuration as a YAML text: read with every problem at once, and changed with the
// administrator's comments and order kept. Knows no file and no disk. Versions are brought up to
// date here, before the schema sees them; see migrations.ts.
import {
  isMap,
  isScalar,
  LineCounter,
  parseDocument,
  visit,
  type Document,
  type Node,
  type YAMLError,
} from 'yaml';
import { z } from 'zod';
import { migrate } from './migrations.ts';
import { problemsOf, quote, renderPath, type Path, type Place, type Problem } from './problem.ts';
import { CONFIG_VERSION, configSchema, type Config } from './schema.ts';

export type ReadConfig = { readonly config: Config } | { readonly problems: Problem[] };

/** More than fifty times what all settings with their comments take; the YAML reader slows with the square. */
const MOST_CHARACTERS = 65_536;

/** One slip may make an error of each line below it. */
const MOST_YAML_ERRORS = 5;

/** Reads a whole configuration text; the problems are all of them, with their lines. */
export function parseConfig(text: string): ReadConfig {
  if (text.length > MOST_CHARACTERS) {
    const message = `the file has ${text.length} characters; the most is ${MOST_CHARACTERS}`;
    return { problems: [{ path: '', message, hint: 'Remove what is no setting' }] };
  }
  const lines = new LineCounter();
  let document: Document;
  let source: unknown;
  try {
    document = parseDocument(text, { lineCounter: lines });
    if (document.errors.length > 0) {
      const lineOf = (error: YAMLError): number => lines.linePos(error.pos[0]).line;
      return {
        problems: document.errors
          .slice(0, MOST_YAML_ERRORS)
          .map((error) => ({ ...explainYaml(error), line: lineOf(error) })),
      };
    }
    source = document.toJS();
  } catch (error) {
    // Aliases that lead nowhere or multiply, or brackets nested deeper than the stack.
    const message = `the file cannot be read as YAML: ${(error as Error).message}`;
    return { problems: [{ path: '', message, hint: 'Write plain values, without aliases ("*name")' }] };
  }
  const outdated = versionProblem(source);
  const lineAt = (path: Path): { line?: number } => {
    const offset = offsetOf(document, path);
    return offset === null ? {} : { line: lines.linePos(offset).line };
  };
  if (outdated) return { problems: [{ ...outdated, ...lineAt([outdated.path]) }] };
  return readValue(migrate(source), lineAt);
}

/** A configuration as a plain value, such as the API takes it. */
export function readSettings(value: unknown): ReadConfig {
  return readValue(value, () => ({}));
}

function readValue(value: unknown, lineAt: (path: Path) => { line?: number }): ReadConfig {
  const read = configSchema.safeParse(value);
  const clashes = interfaceClashes(value).map(({ at, ...problem }) => ({ ...problem, ...lineAt(at) }));
  if (read.success && clashes.length === 0) return { config: read.data };
  const placeAt = (path: Path): Place => ({ ...settingAt(path), ...lineAt(path) });
  return { problems: [...(read.error ? problemsOf(read.error, value, placeAt) : []), ...clashes] };
}

function explainYaml(error: YAMLError): Problem {
  switch (error.code) {
    case 'DUPLICATE_KEY':
      return { path: '', message: 'this setting is written twice', hint: 'Remove one of them' };
    case 'MULTIPLE_DOCS':
      return {
        path: '',
        message: 'a second document ("---") begins here; one is allowed',
        hint: 'Remove one of them',
      };
    default: {
      const [reason = ''] = error.message.split('\n');
      return {
        path: '',
        message: `the file is not valid YAML: ${reason.replace(/ at line \d+, column \d+:?$/, '')}`,
        hint: 'Look at this line and the one above it: indentation is two spaces, a colon is followed by a space',
      };
    }
  }
}

/** One interface in two roles: checked beside the schema, so that it is told along with everything else. */
function interfaceClashes(value: unknown): (Problem & { at: Path })[] {
  const interfaces = (value as { interfaces?: { wan?: unknown; lan?: unknown } | null } | null)?.interfaces;
  if (!Array.isArray(interfaces?.lan)) return [];
  const lans: unknown[] = interfaces.lan;
  return lans.flatMap((lan, index) => {
    if (typeof lan !== 'string') return [];
    const at = ['interfaces', 'lan', index];
    const path = renderPath(at);
    if (lan === interfaces.wan) {
      const message = `${quote(lan)} is the WAN interface and cannot be a LAN interface too`;
      return [{ at, path, message, hint: 'Name the interface behind which the devices are' }];
    }
    if (lans.indexOf(lan) !== index) {
      return [{ at, path, message: `${quote(lan)} is listed twice`, hint: 'Remove one of them' }];
    }
    return [];
  });
}

/** The text with one setting changed, comments and order kept; the text must be a valid configuration. */
export function setInText(text: string, path: Path, value: unknown): string {
  const document = parseDocument(text);
  const node = document.getIn(path, true);
  if (isScalar(node) && node.range && !node.anchor) {
    // A value that is there is exchanged letter by letter, so that nothing else moves.
    const [from, to] = node.range;
    const mark = /^["']/.exec(text.slice(from))?.[0] ?? '';
    const changed = `${text.slice(0, from)}${mark}${String(value)}${mark}${text.slice(to)}`;
    if (parseDocument(changed).getIn(path) === value) return changed;
  }
  writeAliasesOut(document);
  document.setIn(path, value);
  return document.toString({ lineWidth: 0, flowCollectionPadding: /[[{] /.test(text) });
}

/** A value that others refer to by an alias must not change for them too. */
function writeAliasesOut(document: Document): void {
  visit(document, {
    Alias: (_key, alias) => alias.resolve(document)?.clone() as Node,
  });
  visit(document, {
    Value: (_key, node) => {
      delete node.anchor;
    },
  });
}

/** What the schema says of a setting. */
export function settingAt(path: Path): Place {
  let schema: JsonSchema | undefined = inputSchema;
  for (const step of path) schema = typeof step === 'number' ? schema?.items : schema?.properties?.[step];
  const settings = Object.keys(schema?.properties ?? {});
  return schema?.hint === undefined ? { settings } : { settings, hint: schema.hint };
}

/** Every setting and group of settings by its name, such as `web` and `web.listen`. */
export function settingNames(at: readonly string[] = []): string[] {
  return settingAt(at).settings.flatMap((name) => {
    const path = [...at, name];
    return [renderPath(path), ...settingNames(path)];
  });
}

interface JsonSchema {
  readonly properties?: Record<string, JsonSchema>;
  readonly items?: JsonSchema;
  readonly hint?: string;
}

const inputSchema = z.toJSONSchema(configSchema, { io: 'input' }) as JsonSchema;

function versionProblem(source: unknown): Problem | null {
  if (typeof source !== 'object' || source === null || Array.isArray(source)) {
    return {
      path: '',
      message:
        source === null ? 'the file is empty; settings are needed' : 'the file is not a group of settings',
      hint: `Begin with "version: ${CONFIG_VERSION}" and "interfaces:"`,
    };
  }
  const version: unknown = (source as Record<string, unknown>)['version'];
  if (Number.isInteger(version) && (version as number) > CONFIG_VERSION) {
    return {
      path: 'version',
      message: `${quote(version)} is of a newer Throughway; this one reads versions up to ${CONFIG_VERSION}`,
      hint: 'Upgrade Throughway, or restore the configuration that this version wrote',
    };
  }
  return null;
}

/** Where a setting begins in the text; a missing one is reported at its parent. */
function offsetOf(document: Document, steps: Path): number | null {
  for (let length = steps.length; length > 0; length -= 1) {
    const parent: unknown =
      length === 1 ? document.contents : document.getIn(steps.slice(0, length - 1), true);
    if (isMap(parent)) {
      const pair = parent.items.find((item) => String(item.key) === String(steps[length - 1]));
      const range = (pair?.key as { range?: [number, number, number] } | undefined)?.range;
      if (range) return range[0];
    }
    const node = document.getIn(steps.slice(0, length), true) as
      | { range?: [number, number, number] }
      | undefined;
    if (node?.range) return node.range[0];
  }
  return null;
}

// The configuration as a YAML text: read with every problem at once, and changed with the
// administrator's comments and order kept. Knows no file and no disk. Versions are brought up to
// date here, before the schema sees them; see migrations.ts.
import { isMap, LineCounter, parseDocument, type Document } from 'yaml';
import { z } from 'zod';
import { migrate } from './migrations.ts';
import { problemsOf, quote, renderPath, type Path, type Problem } from './problem.ts';
import { CONFIG_VERSION, configSchema, type Config } from './schema.ts';

export type ReadConfig = { readonly config: Config } | { readonly problems: Problem[] };

/** Reads a whole configuration text; the problems are all of them, with their lines. */
export function parseConfig(text: string): ReadConfig {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  if (document.errors.length > 0) {
    return {
      problems: document.errors.map((error) => ({
        path: '',
        message: `the file is not valid YAML: ${error.message.split('\n')[0]!.replace(/ at line \d+, column \d+:?$/, '')}`,
        hint: 'Look at this line and the one above it: indentation is two spaces, a colon is followed by a space',
        line: lines.linePos(error.pos[0]).line,
      })),
    };
  }
  const source: unknown = document.toJS();
  const outdated = versionProblem(source);
  if (outdated) return { problems: [outdated] };
  const value = migrate(source);
  const read = configSchema.safeParse(value);
  const clashes = interfaceClashes(value);
  if (read.success && clashes.length === 0) return { config: read.data };
  const lineOf = (path: string): { line?: number } => {
    const range = rangeOf(document, path);
    return range === null ? {} : { line: lines.linePos(range).line };
  };
  const problems = [...(read.error ? problemsOf(read.error, value, settingsAt) : []), ...clashes];
  return { problems: problems.map((problem) => ({ ...problem, ...lineOf(problem.path) })) };
}

/** One interface in two roles: checked beside the schema, so that it is told along with everything else. */
function interfaceClashes(value: unknown): Problem[] {
  const interfaces = (value as { interfaces?: { wan?: unknown; lan?: unknown } | null }).interfaces;
  if (!Array.isArray(interfaces?.lan)) return [];
  const lans: unknown[] = interfaces.lan;
  return lans.flatMap((lan, index): Problem[] => {
    const path = renderPath(['interfaces', 'lan', index]);
    if (lan === interfaces.wan) {
      const message = `${quote(lan)} is the WAN interface and cannot be a LAN interface too`;
      return [{ path, message, hint: 'Name the interface behind which the devices are' }];
    }
    if (lans.indexOf(lan) !== index) {
      return [{ path, message: `${quote(lan)} is listed twice`, hint: 'Remove one of them' }];
    }
    return [];
  });
}

/** The text with one setting changed, comments and order kept; the text must be valid YAML. */
export function setInText(text: string, path: Path, value: unknown): string {
  const document = parseDocument(text);
  document.setIn(path, value);
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}

/** The names of the settings that the schema allows at a path. */
export function settingsAt(path: Path): string[] {
  let schema: JsonSchema | undefined = z.toJSONSchema(configSchema, { io: 'input' }) as JsonSchema;
  for (const step of path) schema = typeof step === 'number' ? schema?.items : schema?.properties?.[step];
  return Object.keys(schema?.properties ?? {});
}

interface JsonSchema {
  readonly properties?: Record<string, JsonSchema>;
  readonly items?: JsonSchema;
}

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
  if (typeof version === 'number' && version > CONFIG_VERSION) {
    return {
      path: 'version',
      message: `"${version}" is of a newer Throughway; this one reads versions up to ${CONFIG_VERSION}`,
      hint: 'Upgrade Throughway, or restore the configuration that this version wrote',
    };
  }
  return null;
}

function rangeOf(document: Document, path: string): number | null {
  const steps = path
    .split(/[.[\]]+/)
    .filter(Boolean)
    .map((step) => (/^\d+$/.test(step) ? Number(step) : step));
  // The deepest node on the way that exists: a missing setting is reported at its parent.
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

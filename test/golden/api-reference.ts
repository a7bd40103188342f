// The pages of the manual that list the API's routes and the metrics, made from what a served API says of itself.
import type { Description } from '../../src/daemon/api/openapi.ts';
import { ServedApi } from '../../src/daemon/api/served-api.ts';

const WHO: Readonly<Record<string, string>> = {
  anybody: 'anybody',
  read: 'a log-in or a token',
  full: 'a log-in or a full token',
  socket: 'root, at the machine',
};

/** Written by `npm run golden` into docs/. */
export async function apiPages(): Promise<{ name: string; text: string }[]> {
  const served = new ServedApi();
  try {
    await served.accounts.add('admin', 'correct horse battery');
    const { token } = served.keys.makeToken('manual', 'read');
    const get = async (url: string): Promise<string> =>
      (await served.ask({ method: 'GET', url, headers: { authorization: `Bearer ${token}` } })).body;
    return [
      { name: 'routes.md', text: renderRoutes(JSON.parse(await get('/api/v1/openapi.json')) as Description) },
      { name: 'metrics.md', text: renderMetrics(await get('/metrics')) },
    ];
  } finally {
    await served.close();
  }
}

function renderRoutes({ paths }: Description): string {
  const sections = new Map<string, string[]>();
  for (const [path, methods] of Object.entries(paths))
    for (const [method, operation] of Object.entries(methods)) {
      const tag = operation.tags[0]!;
      const row = `| \`${method.toUpperCase()} ${path}\` | ${operation.summary} | ${WHO[operation['x-permission']]!} |`;
      sections.set(tag, [...(sections.get(tag) ?? []), row]);
    }
  const lines = [
    '# The routes of the API',
    '',
    'What each takes and answers is at `/api/v1/reference` on the gateway. This page is made from the same table by',
    '`npm run golden`.',
  ];
  for (const [tag, rows] of sections)
    lines.push('', `## ${tag}`, '', '| route | what it does | who may call it |', '|---|---|---|', ...rows);
  return `${lines.join('\n')}\n`;
}

function renderMetrics(exposed: string): string {
  const rows = [...exposed.matchAll(/^# HELP (\w+) (.*)\n# TYPE \w+ (\w+)\n((?:[^#].*\n)*)/gm)].map(
    ([, name = '', help = '', kind = '', samples = '']) => {
      const labels = [...new Set([...samples.matchAll(/[{,](\w+)="/g)].map(([, label]) => `\`${label!}\``))];
      return `| \`${name}\` | ${kind} | ${labels.join(', ')} | ${help} |`;
    },
  );
  return `${[
    '# The metrics',
    '',
    'What `/metrics` answers to Prometheus where `web.metrics` is enabled ([how](api.md#metrics)). This page is made from what',
    'it answers by `npm run golden`.',
    '',
    '| metric | kind | labels | meaning |',
    '|---|---|---|---|',
    ...rows,
  ].join('\n')}\n`;
}

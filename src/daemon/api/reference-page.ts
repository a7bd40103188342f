// The API's reference as one page of plain HTML, made from its OpenAPI description. Needs no script and
// nothing from elsewhere.
import type { Description, Operation } from './openapi.ts';

type Json = Readonly<Record<string, unknown>>;

export const REFERENCE_STYLE = `:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0 auto; padding: 1rem; max-width: 60rem; }
h2 { margin-top: 3rem; border-bottom: 1px solid; }
article { margin: 1.5rem 0; }
h3 { margin: 0 0 .25rem; font-size: 1rem; }
code, pre { font: .875rem/1.5 ui-monospace, monospace; }
.method { display: inline-block; min-width: 4.5em; font-weight: bold; }
table { border-collapse: collapse; width: 100%; }
td, th { padding: .25rem .75rem .25rem 0; text-align: left; vertical-align: top; }
pre { overflow: auto; padding: .5rem; border: 1px solid; }
summary { cursor: pointer; }
`;

export function renderReferencePage({ info, paths, components }: Description): string {
  const sections = new Map<string, string[]>();
  for (const [path, methods] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const tag = operation.tags[0]!;
      const section = sections.get(tag) ?? [];
      section.push(renderOperation(method, path, operation));
      sections.set(tag, section);
    }
  }
  const body = [...sections].map(([tag, articles]) => `<h2>${escape(tag)}</h2>\n${articles.join('\n')}`);
  const schemas = Object.entries(components.schemas).map(
    ([name, schema]) =>
      `<article id="${escape(name)}"><details><summary><code>${escape(name)}</code></summary>${renderJson(schema)}</details></article>`,
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Throughway: the API</title>
<link rel="stylesheet" href="/api/v1/reference.css">
</head>
<body>
<h1>Throughway ${escape(String(info['version']))}: the API</h1>
<p>${escape(String(info['description']))} For programs: <a href="/api/v1/openapi.json">openapi.json</a>.</p>
${body.join('\n')}
<h2>Schemas</h2>
${schemas.join('\n')}
</body>
</html>
`;
}

function renderOperation(method: string, path: string, operation: Operation): string {
  const { operationId, summary, description, parameters, requestBody, responses } = operation;
  const parts = [
    `<h3 id="${escape(operationId)}"><code><span class="method">${escape(method.toUpperCase())}</span> ${escape(path)}</code></h3>`,
    `<p>${escape(summary)}. ${escape(description)}</p>`,
  ];
  if (parameters.length > 0) {
    const rows = parameters.map(
      (one) =>
        `<tr><td><code>${escape(one.name)}</code></td><td>${one.in}${one.required ? ', needed' : ''}</td><td>${escape(JSON.stringify(one.schema))}</td><td>${escape(one.description ?? '')}</td></tr>`,
    );
    parts.push(`<table>${rows.join('')}</table>`);
  }
  if (requestBody) parts.push(`<details><summary>Body</summary>${renderContent(requestBody)}</details>`);
  for (const [status, response] of Object.entries(responses)) {
    parts.push(
      `<details><summary>${escape(status)}</summary><p>${escape(String(response['description']))}</p>${renderContent(response)}</details>`,
    );
  }
  return `<article>${parts.join('\n')}</article>`;
}

function renderContent(holder: Json): string {
  const content = (holder['content'] ?? {}) as Record<string, { schema: unknown }>;
  return Object.entries(content)
    .map(([type, { schema }]) => `<p><code>${escape(type)}</code></p>${renderJson(schema)}`)
    .join('');
}

function renderJson(value: unknown): string {
  const text = escape(JSON.stringify(value, null, 2));
  return `<pre>${text.replaceAll(/&quot;#\/components\/schemas\/(\w+)&quot;/g, '<a href="#$1">$1</a>')}</pre>`;
}

function escape(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

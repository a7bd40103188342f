// docs/ as the pages that the daemon serves below /manual/: one for each file of it, under the same name, with
// the list of all beside it. No script is needed to read them; one keeps the theme that was chosen.
import { copyFileSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { escapeHtml, renderMarkdown } from './markdown.ts';

export interface ManualPage {
  /** Below the folder of the manual, such as `protocols/pptp.html`. */
  readonly path: string;
  readonly html: string;
}

/** Where a file of docs/ stands in the manual. */
function pagePath(source: string): string {
  return source === 'README.md' ? 'index.html' : source.replace(/\.md$/, '.html');
}

export function renderManual(docs: string): ManualPage[] {
  const sources = globSync('**/*.md', { cwd: docs }).sort();
  const contents = renderContents(readFileSync(join(docs, 'README.md'), 'utf8'));
  return sources.map((source) => {
    const path = pagePath(source);
    const { html, headings } = renderMarkdown(readFileSync(join(docs, source), 'utf8'), (target) =>
      addressOf(target, source, sources),
    );
    const up = '../'.repeat(path.split('/').length - 1);
    const title = headings[0]?.text ?? 'The manual';
    return { path, html: frame({ title, html, up, path, contents }) };
  });
}

/** Writes the manual into `out`, which it replaces. */
export function writeManual(root: string, out: string): void {
  rmSync(out, { recursive: true, force: true });
  for (const { path, html } of renderManual(join(root, 'docs'))) {
    mkdirSync(dirname(join(out, path)), { recursive: true });
    writeFileSync(join(out, path), html);
  }
  for (const file of globSync('*.json', { cwd: join(root, 'docs') }))
    copyFileSync(join(root, 'docs', file), join(out, file));
  const styles = ['src/ui/styles/tokens.css', 'scripts/manual/manual.css'];
  writeFileSync(
    join(out, 'manual.css'),
    styles.map((one) => readFileSync(join(root, one), 'utf8')).join('\n'),
  );
}

/** What is outside docs/ is not in the manual: its words stay, without a link. */
function addressOf(target: string, source: string, sources: readonly string[]): string | null {
  if (/^[a-z]+:/.test(target)) return escapeHtml(target);
  const [file = '', anchor] = target.split('#');
  const hash = anchor === undefined ? '' : `#${anchor}`;
  if (file === '') return hash;
  const path = join(dirname(source), file);
  if (path.endsWith('.md')) {
    if (!sources.includes(path)) return null;
    return relative(dirname(pagePath(source)), pagePath(path)) + hash;
  }
  return path.startsWith('..') ? null : file;
}

interface Link {
  readonly path: string;
  readonly words: string;
}

interface Part {
  readonly title: string;
  readonly links: readonly Link[];
}

/** The list of pages, from the first page: a line in bold begins a part, each link is a page. */
function renderContents(readme: string): Part[] {
  const parts: { title: string; links: Link[] }[] = [];
  for (const line of readme.split('\n')) {
    const title = /^\*\*(.+?)\*\*/.exec(line)?.[1];
    if (title !== undefined) parts.push({ title, links: [] });
    for (const [, words = '', target = ''] of line.matchAll(/\[([^\]]+)\]\(([^)#]+\.md)\)/g)) {
      const plain = words.replaceAll('`', '');
      parts.at(-1)?.links.push({ path: pagePath(target), words: plain[0]!.toUpperCase() + plain.slice(1) });
    }
  }
  return parts;
}

interface Framed {
  readonly title: string;
  readonly html: string;
  /** The way from the page to the folder of the manual. */
  readonly up: string;
  readonly path: string;
  readonly contents: readonly Part[];
}

function frame({ title, html, up, path, contents }: Framed): string {
  const lists = contents.map(({ title: part, links }) => {
    const items = links.map(
      (one) =>
        `<li><a href="${up}${one.path}"${one.path === path ? ' aria-current="page"' : ''}>${escapeHtml(one.words)}</a></li>`,
    );
    return `<p>${escapeHtml(part)}</p>\n<ul>\n${items.join('\n')}\n</ul>`;
  });
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>${escapeHtml(title)} · Throughway</title>
<link rel="icon" href="/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="${up}manual.css">
<script src="/appearance.js"></script>
</head>
<body>
<a class="skip" href="#main">To the text</a>
<header>
<a class="brand" href="/"><img src="/icon.svg" alt="" width="24" height="24">Throughway</a>
<a href="${up}index.html">The manual</a>
</header>
<div class="frame">
<nav aria-label="The manual">
${lists.join('\n')}
</nav>
<main id="main" tabindex="-1">
${html}
</main>
</div>
</body>
</html>
`;
}

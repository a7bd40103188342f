// The manual as pages: everything is rendered, every link leads somewhere, and the doctor's findings to a symptom.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { renderMarkdown } from '../scripts/manual/markdown.ts';
import { renderManual } from '../scripts/manual/pages.ts';
import { SYMPTOMS } from '../src/core/doctor/symptoms.ts';

const docs = fileURLToPath(new URL('../docs', import.meta.url));
const pages = new Map(renderManual(docs).map(({ path, html }) => [path, html]));
const idsOf = (html: string): string[] => [...html.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id!);
const main = (html: string): string => html.slice(html.indexOf('<main'), html.indexOf('</main>'));

describe('every page of the manual', () => {
  for (const [path, html] of pages) {
    it(`${path} is rendered whole, and its links lead somewhere`, () => {
      const prose = main(html).replaceAll(/<(code|pre)[^>]*>[^]*?<\/\1>/g, '');
      expect(prose.match(/\]\(|\*\*|```|^\||&lt;!--/gm)).toBeNull();
      const ids = idsOf(html);
      expect(new Set(ids).size).toBe(ids.length);
      for (const [, address = ''] of html.matchAll(/href="([^"]*)"/g)) {
        if (/^(https?:|\/)/.test(address)) continue;
        const [file = '', anchor] = address.split('#');
        const target = file === '' ? path : join(dirname(path), file);
        const found = pages.has(target) || target === 'manual.css' || existsSync(join(docs, target));
        expect([path, address, found]).toEqual([path, address, true]);
        if (anchor !== undefined)
          expect([address, idsOf(pages.get(target)!)]).toContainEqual(expect.arrayContaining([anchor]));
      }
    });
  }
});

it('every finding of the doctor has its symptom', () => {
  const headings = idsOf(pages.get('troubleshooting.html')!);
  for (const symptom of Object.values(SYMPTOMS)) expect(headings).toContain(symptom);
});

it('the list beside each page has every page', () => {
  const first = pages.get('index.html')!;
  const nav = first.slice(first.indexOf('<nav'), first.indexOf('</nav>'));
  const listed = [...nav.matchAll(/href="([^"]*)"/g)].map(([, one]) => one!);
  expect(new Set(listed).size).toBe(listed.length);
  expect([...pages.keys()].filter((path) => path !== 'index.html' && !listed.includes(path))).toEqual([]);
});

it('renders what the manual is written in', () => {
  const { html, headings } = renderMarkdown(
    [
      '# A `b` & c',
      '',
      'Text **bold** *soft* `a*b*<c>` [link](x.md) [gone](../y.md).',
      '',
      '1. one',
      '',
      '   ```',
      '   code',
      '     more',
      '   ```',
      '',
      '2. two',
      '- dash',
      '',
      '| a | b \\| c |',
      '|---|---|',
      '| 1 | `2` |',
    ].join('\n'),
    (target) => (target.startsWith('..') ? null : target.replace('.md', '.html')),
  );
  expect(headings).toEqual([{ level: 1, text: 'A b & c', id: 'a-b--c' }]);
  expect(html).toMatchInlineSnapshot(`
    "<h1 id="a-b--c">A <code>b</code> &amp; c</h1>
    <p>Text <strong>bold</strong> <em>soft</em> <code>a*b*&lt;c&gt;</code> <a href="x.html">link</a> gone.</p>
    <ol>
    <li><p>one</p>
    <pre tabindex="0"><code>code
      more</code></pre></li>
    <li>two</li>
    <li>dash</li>
    </ol>
    <div class="scroll" role="region" tabindex="0" aria-label="Table 1: A b &amp; c"><table><thead><tr><th scope="col">a</th><th scope="col">b | c</th></tr></thead><tbody><tr><td>1</td><td><code>2</code></td></tr></tbody></table></div>"
  `);
});

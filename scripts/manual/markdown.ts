// The Markdown of docs/ as HTML: headings, paragraphs, lists, tables, fences and, within a line, code, links,
// bold and italics. What the manual does not use (images, HTML, quotes) is not known here: a comment is
// left out, everything else of that kind shows as it was typed.

export interface Heading {
  readonly level: number;
  readonly text: string;
  /** Its address within the page, as GitHub makes it. */
  readonly id: string;
}

export interface Rendered {
  readonly html: string;
  readonly headings: readonly Heading[];
}

/** `link` says where a link of the source leads on the page, or null to leave it out and keep its words. */
export function renderMarkdown(source: string, link: (target: string) => string | null): Rendered {
  const writer = new Writer(link);
  const html = writer.blocks(source.replaceAll(/<!--[^]*?-->\n?/g, '').split('\n'));
  return { html, headings: writer.headings };
}

/** The address of a heading within its page. */
function slugOf(heading: string): string {
  return plainText(heading)
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
}

export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

/** A heading's words without their marks. */
function plainText(source: string): string {
  return source.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').replaceAll(/[`*]/g, '');
}

const ITEM = /^(\s*)(-|\d+\.) +(.*)$/;
const FENCE = /^(\s*)```/;

class Writer {
  readonly headings: Heading[] = [];
  readonly #link: (target: string) => string | null;
  #tables = 0;

  constructor(link: (target: string) => string | null) {
    this.#link = link;
  }

  blocks(lines: readonly string[]): string {
    const parts: string[] = [];
    for (let at = 0; at < lines.length;) {
      const line = lines[at]!;
      let end = at + 1;
      if (line.trim() === '') {
        at = end;
        continue;
      }
      if (FENCE.test(line)) {
        while (end < lines.length && !FENCE.test(lines[end]!)) end += 1;
        parts.push(renderFence(lines.slice(at, end)));
        end += 1;
      } else if (/^#{1,6} /.test(line)) {
        parts.push(this.#heading(line));
      } else if (line.startsWith('|')) {
        while (lines[end]?.startsWith('|')) end += 1;
        parts.push(this.#table(lines.slice(at, end)));
      } else if (ITEM.test(line)) {
        end = endOfList(lines, at);
        parts.push(this.#list(lines.slice(at, end)));
      } else {
        while (end < lines.length && !beginsBlock(lines[end]!)) end += 1;
        parts.push(`<p>${this.#inline(lines.slice(at, end).join('\n'))}</p>`);
      }
      at = end;
    }
    return parts.join('\n');
  }

  #heading(line: string): string {
    const [, marks = '', text = ''] = /^(#+) +(.*)$/.exec(line)!;
    const base = slugOf(text);
    const same = this.headings.filter(({ id }) => id === base || id.startsWith(`${base}-`)).length;
    const id = this.headings.some((one) => one.id === base) ? `${base}-${same}` : base;
    const level = marks.length;
    this.headings.push({ level, text: plainText(text), id });
    return `<h${level} id="${escapeHtml(id)}">${this.#inline(text)}</h${level}>`;
  }

  /** In a frame that scrolls by itself, which the keyboard reaches too. */
  #table(lines: readonly string[]): string {
    const [head = [], , ...rows] = lines.map(cellsOf);
    this.#tables += 1;
    const last = this.headings.at(-1)?.text ?? 'the page';
    const cells = (row: readonly string[], tag: string): string =>
      `<tr>${row.map((cell) => `<${tag}>${this.#inline(cell)}</${tag}>`).join('')}</tr>`;
    const isNamed = head.some((cell) => cell !== '');
    const headRow = isNamed
      ? `<thead><tr>${head.map((cell) => (cell === '' ? '<td></td>' : `<th scope="col">${this.#inline(cell)}</th>`)).join('')}</tr></thead>`
      : '';
    return `<div class="scroll" role="region" tabindex="0" aria-label="Table ${this.#tables}: ${escapeHtml(last)}"><table>${headRow}<tbody>${rows.map((row) => cells(row, 'td')).join('\n')}</tbody></table></div>`;
  }

  #list(lines: readonly string[]): string {
    const [, indent = '', mark = ''] = ITEM.exec(lines[0]!)!;
    const items: string[][] = [];
    for (const line of lines) {
      const item = ITEM.exec(line);
      if (item && item[1]!.length === indent.length) items.push([item[3]!]);
      else items.at(-1)!.push(line);
    }
    const tag = mark === '-' ? 'ul' : 'ol';
    const rendered = items.map((item) => `<li>${this.#item(item)}</li>`);
    return `<${tag}>\n${rendered.join('\n')}\n</${tag}>`;
  }

  #item([first = '', ...rest]: readonly string[]): string {
    const indents = rest.filter((line) => line.trim() !== '').map((line) => line.search(/\S/));
    const least = Math.min(...indents, 100);
    const html = this.blocks([first, ...rest.map((line) => line.slice(Math.min(least, line.length)))]);
    // An item of one paragraph stands close to its neighbours.
    return /^<p>[^]*<\/p>$/.test(html) && html.lastIndexOf('<p>') === 0 ? html.slice(3, -4) : html;
  }

  #inline(source: string): string {
    // Code first: nothing in it is a mark.
    return source
      .split(/(`[^`]+`)/)
      .map((part) =>
        part.startsWith('`') && part.length > 1
          ? `<code>${escapeHtml(part.slice(1, -1))}</code>`
          : escapeHtml(part),
      )
      .join('')
      .replaceAll(/\*\*([^*]+)\*\*/g, '<strong>$1</strong>')
      .replaceAll(/(^|[\s(])\*([^*\s][^*]*)\*/g, '$1<em>$2</em>')
      .replaceAll(/\[([^\]]+)\]\(([^)\s]+)\)/g, (_all, words: string, target: string) => {
        const to = this.#link(target);
        return to === null ? words : `<a href="${to}">${words}</a>`;
      })
      .replaceAll(/\\\|/g, '|');
  }
}

function beginsBlock(line: string): boolean {
  return (
    line.trim() === '' || FENCE.test(line) || line.startsWith('|') || /^#{1,6} /.test(line) || ITEM.test(line)
  );
}

/** A list goes on with its items, with what is indented below them and across single empty lines. */
function endOfList(lines: readonly string[], from: number): number {
  let end = from + 1;
  let isInFence = false;
  while (end < lines.length) {
    const line = lines[end]!;
    if (FENCE.test(line) && /^\s/.test(line)) isInFence = !isInFence;
    const belongs = isInFence || /^\s+\S/.test(line) || ITEM.test(line);
    const isGap = line.trim() === '' && /^(\s+\S|(-|\d+\.) )/.test(lines[end + 1] ?? '');
    if (!belongs && !isGap) break;
    end += 1;
  }
  return end;
}

function renderFence([opening = '', ...lines]: readonly string[]): string {
  const indent = opening.search(/\S/);
  const text = lines.map((line) => line.slice(Math.min(indent, line.search(/\S|$/)))).join('\n');
  return `<pre tabindex="0"><code>${escapeHtml(text)}</code></pre>`;
}

function cellsOf(line: string): string[] {
  return line
    .trim()
    .replace(/^\|/, '')
    .replace(/\|$/, '')
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim());
}

// The frame of one page: its heading takes the focus when the page is reached by a link, so that a
// screen reader says where it is, and it names the browser's tab.
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

interface PageProps {
  readonly title: string;
  readonly trail?: string;
  readonly lead?: ComponentChildren;
  readonly actions?: ComponentChildren;
  readonly width?: 'wide' | 'narrow';
  readonly children: ComponentChildren;
}

let isFirst = true;

export function Page({ title, trail, lead, actions, width, children }: PageProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (!isFirst) heading.current?.focus({ preventScroll: true });
    isFirst = false;
  }, []);
  useEffect(() => {
    document.title = `${title} · Throughway`;
  }, [title]);
  return (
    <div class={`page fade-in ${width ?? ''}`}>
      <div class="head">
        <div>
          {trail && <p class="trail">{trail}</p>}
          <h1 ref={heading} tabIndex={-1}>
            {title}
          </h1>
          {lead && <p class="lead">{lead}</p>}
        </div>
        {actions && <div class="row">{actions}</div>}
      </div>
      {children}
    </div>
  );
}

interface PanelProps {
  readonly title: string;
  readonly lead?: ComponentChildren;
  readonly actions?: ComponentChildren;
  readonly flush?: boolean;
  readonly footer?: ComponentChildren;
  readonly children: ComponentChildren;
}

let lastPanel = 0;

export function Panel({ title, lead, actions, flush, footer, children }: PanelProps) {
  const id = useRef('');
  id.current ||= `panel-${(lastPanel += 1)}`;
  return (
    <section class="panel" aria-labelledby={id.current}>
      <header>
        <h2 id={id.current}>{title}</h2>
        {actions && <div class="row">{actions}</div>}
        {lead && <p>{lead}</p>}
      </header>
      <div class={`body ${flush ? 'flush' : ''}`}>{children}</div>
      {footer && <footer>{footer}</footer>}
    </section>
  );
}

// Which page is shown: the address is the only state, so that reload, back, forward and bookmarks work.
// Links are ordinary links; a click on one of ours changes the address without a reload.
import { signal } from '@preact/signals';

export interface Place {
  readonly path: string;
  readonly query: URLSearchParams;
}

const here = (): Place => ({ path: location.pathname, query: new URLSearchParams(location.search) });

export const place = signal<Place>(here());

/** Asked before the page is left, since it holds what is not saved. */
let question: string | null = null;

export function askBeforeLeaving(text: string | null): void {
  question = text;
}

export function navigate(address: string, options: { replace?: boolean } = {}): void {
  const isLeaving = new URL(address, location.href).pathname !== location.pathname;
  if (isLeaving && question !== null && !confirm(question)) return;
  history[options.replace ? 'replaceState' : 'pushState'](null, '', address);
  const before = place.value.path;
  place.value = here();
  if (before !== place.value.path) scrollTo(0, 0);
}

/** Changes the query without a new entry in the history, as filters do. */
export function replaceQuery(query: URLSearchParams): void {
  const text = query.toString();
  history.replaceState(null, '', location.pathname + (text ? `?${text}` : ''));
  place.value = here();
}

export function startRouter(): void {
  addEventListener('popstate', () => {
    place.value = here();
  });
  addEventListener('beforeunload', (event) => {
    if (question !== null) event.preventDefault();
  });
  document.addEventListener('click', (event) => {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest('a') : null;
    if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin) return;
    if (/^\/(api|manual)\//.test(link.pathname) || (link.hash && link.pathname === location.pathname)) return;
    event.preventDefault();
    navigate(link.pathname + link.search);
  });
}

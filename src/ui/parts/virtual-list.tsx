// A table that draws only the rows in sight, so ten thousand cost as much as forty. The roles and indices
// tell a screen reader the whole table. Rows are all equally high; a narrow screen gets two lines a row.
import type { ComponentChildren } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { Icon } from './icon.tsx';
import '../styles/grid.css';

export interface Column<T> {
  readonly key: string;
  readonly label: string;
  /** Absent: rows cannot be ordered by it. */
  readonly compare?: (a: T, b: T) => number;
  readonly end?: boolean;
  readonly cell: (row: T) => ComponentChildren;
}

export interface Order {
  readonly key: string;
  readonly isDown: boolean;
}

interface VirtualListProps<T> {
  readonly label: string;
  /** Names the columns' widths in the style sheet. */
  readonly kind: string;
  readonly columns: readonly Column<T>[];
  /** In the order to show. */
  readonly rows: readonly T[];
  readonly keyOf: (row: T) => string | number;
  readonly order?: Order;
  readonly onOrder?: (order: Order) => void;
  readonly empty: ComponentChildren;
}

const SPARE_ROWS = 8;

export function VirtualList<T>(props: VirtualListProps<T>) {
  const { label, kind, columns, rows, keyOf, order, onOrder, empty } = props;
  const body = useRef<HTMLDivElement>(null);
  const [seen, setSeen] = useState({ top: 0, height: 600, rowHeight: 36 });
  useLayoutEffect(() => {
    const element = body.current;
    if (!element) return undefined;
    const measure = (): void => {
      const rowHeight = Number.parseFloat(getComputedStyle(element).getPropertyValue('--row')) * remPixels();
      const next = { top: element.scrollTop, height: element.clientHeight, rowHeight };
      setSeen((before) =>
        // Less than half the spare rows: what is drawn is still enough.
        Math.abs(before.top - next.top) < (SPARE_ROWS / 2) * rowHeight &&
        before.height === next.height &&
        before.rowHeight === rowHeight
          ? before
          : next,
      );
    };
    measure();
    const resized = new ResizeObserver(measure);
    resized.observe(element);
    element.addEventListener('scroll', measure, { passive: true });
    return () => {
      resized.disconnect();
      element.removeEventListener('scroll', measure);
    };
  }, []);
  useEffect(() => {
    // What is shown has become another list: its beginning is what matters.
    if (body.current && seen.top > rows.length * seen.rowHeight) body.current.scrollTop = 0;
  }, [rows.length]);
  const first = Math.max(0, Math.floor(seen.top / seen.rowHeight) - SPARE_ROWS);
  const last = Math.min(rows.length, Math.ceil((seen.top + seen.height) / seen.rowHeight) + SPARE_ROWS);
  return (
    <div class={`grid grid-${kind}`}>
      <div
        class="grid-scroll"
        ref={body}
        role="table"
        aria-label={label}
        aria-rowcount={rows.length + 1}
        tabIndex={0}
        style={{ '--rows': rows.length }}
      >
        <div role="rowgroup" class="grid-head">
          <div role="row" class="grid-row" aria-rowindex={1}>
            {columns.map((column) => (
              <Head key={column.key} column={column} order={order} onOrder={onOrder} />
            ))}
          </div>
        </div>
        <div role="rowgroup" class="grid-body" style={{ height: `${rows.length * seen.rowHeight}px` }}>
          {rows.slice(first, last).map((row, index) => (
            <div
              key={keyOf(row)}
              role="row"
              class="grid-row"
              aria-rowindex={first + index + 2}
              style={{ transform: `translateY(${(first + index) * seen.rowHeight}px)` }}
            >
              {columns.map((column) => (
                <div
                  key={column.key}
                  role="cell"
                  class={`cell cell-${column.key} ${column.end ? 'end' : ''}`}
                >
                  {column.cell(row)}
                </div>
              ))}
            </div>
          ))}
        </div>
        {rows.length === 0 && <div class="empty">{empty}</div>}
      </div>
    </div>
  );
}

interface HeadProps<T> {
  readonly column: Column<T>;
  readonly order: Order | undefined;
  readonly onOrder: ((order: Order) => void) | undefined;
}

function Head<T>({ column, order, onOrder }: HeadProps<T>) {
  const isOrdered = order?.key === column.key;
  const sort = isOrdered ? (order.isDown ? 'descending' : 'ascending') : undefined;
  return (
    <div
      role="columnheader"
      class={`cell cell-${column.key} ${column.end ? 'end' : ''}`}
      aria-sort={column.compare ? (sort ?? 'none') : undefined}
    >
      {column.compare && onOrder ? (
        <button
          type="button"
          class="sort"
          onClick={() => onOrder({ key: column.key, isDown: isOrdered ? !order.isDown : false })}
        >
          {column.label}
          {isOrdered && <Icon name={order.isDown ? 'down' : 'up'} size={12} />}
        </button>
      ) : (
        column.label
      )}
    </div>
  );
}

function remPixels(): number {
  return Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
}

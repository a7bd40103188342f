// A table of a few rows. On a phone each row becomes a card: its first cell the heading, each other one
// beside the name of its column. A browser forgets what is a table when it is laid out otherwise, so the
// roles are written out.
import type { ComponentChildren } from 'preact';
import { Scroll } from './scroll.tsx';
import '../styles/table.css';

export interface TableColumn<T> {
  readonly label: string;
  /** Of buttons: heard, not seen, and at the end of the row. */
  readonly isActions?: boolean;
  /** `null`: nothing, and on a phone no line either. */
  readonly cell: (row: T) => ComponentChildren;
}

interface TableProps<T> {
  readonly label: string;
  readonly columns: readonly TableColumn<T>[];
  readonly rows: readonly T[];
  readonly keyOf: (row: T) => string;
}

export function Table<T>({ label, columns, rows, keyOf }: TableProps<T>) {
  return (
    <Scroll>
      <table class="plain cards" role="table" aria-label={label}>
        <thead role="rowgroup">
          <tr role="row">
            {columns.map((column) => (
              <th key={column.label} role="columnheader" scope="col">
                <span class={column.isActions ? 'hidden-text' : ''}>{column.label}</span>
              </th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {rows.map((row) => (
            <tr key={keyOf(row)} role="row">
              {columns.map((column, index) =>
                index === 0 ? (
                  <th key={column.label} role="rowheader" scope="row">
                    {column.cell(row)}
                  </th>
                ) : (
                  <Cell key={column.label} column={column} content={column.cell(row)} />
                ),
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

interface CellProps {
  readonly column: { readonly label: string; readonly isActions?: boolean };
  readonly content: ComponentChildren;
}

function Cell({ column: { label, isActions }, content }: CellProps) {
  return (
    <td role="cell" class={`${isActions ? 'end' : ''} ${content === null ? 'nothing' : ''}`}>
      {!isActions && (
        <span class="column" aria-hidden="true">
          {label}
        </span>
      )}
      <span>{content}</span>
    </td>
  );
}

// Grid: a table of any number of rows, of which only those in sight are elements. Columns sort; the arrow keys, j and k
// move the selection. Roles and row numbers tell assistive technology what is not drawn.

import type { Table, Text } from './blocks';
import { h, on } from './dom';

export interface Column {
  key: string; // in the address, and of the sort order
  label: string;
  title?: string;
  width: string; // a CSS grid track
  num?: boolean;
  sort: Float64Array | Text; // what the column sorts by
  cell: (row: number, cell: HTMLElement) => void;
}

const rowHeight = 24;
const overscan = 8;

export class Grid {
  readonly element: HTMLElement;
  private readonly body = h('div', { class: 'grid-body', role: 'rowgroup' });
  private readonly empty = h('p', { class: 'grid-empty', hidden: true }, 'No row matches the search.');
  private readonly heads = new Map<string, HTMLElement>();
  private readonly pool: HTMLElement[] = [];
  private readonly shown: number[] = []; // row of each pool element
  private readonly ids: Float64Array;
  private view: Uint32Array = new Uint32Array(0); // rows in the order shown
  private place = new Map<number, number>(); // row to place, made when asked for
  private selected = -1; // row
  private frame = 0;
  private readonly template: string;

  constructor(
    label: string,
    table: Table,
    private readonly columns: Column[],
    private readonly onSort: (order: string) => void,
    private readonly onSelect: (row: number) => void,
  ) {
    this.ids = table.num('id');
    this.template = columns.map((c) => c.width).join(' ');
    const head = h('div', { class: 'grid-row grid-head', role: 'row', 'aria-rowindex': 1 });
    head.style.gridTemplateColumns = this.template;
    for (const c of columns) {
      const button = h('button', { type: 'button', tabindex: -1, title: c.title ?? `sort by ${c.label}` }, c.label, h('span', { class: 'arrow', 'aria-hidden': 'true' }));
      const cell = h('div', { role: 'columnheader', class: c.num ? 'num' : undefined, 'aria-sort': 'none' }, button);
      on(button, 'click', () => this.onSort(this.nextOrder(c)));
      this.heads.set(c.key, cell);
      head.append(cell);
    }
    this.element = h('div', { class: 'grid', role: 'grid', tabindex: 0, 'aria-label': label, 'aria-colcount': columns.length },
      h('div', { role: 'rowgroup', class: 'grid-heads' }, head), this.body, this.empty);
    on(this.element, 'scroll', () => this.schedule());
    on(this.element, 'keydown', (ev) => this.key(ev));
    on(this.body, 'click', (ev) => {
      const row = (ev.target as Element).closest<HTMLElement>('.grid-row');
      if (row) this.onSelect(Number(row.dataset.row));
    });
    new ResizeObserver(() => this.schedule()).observe(this.element);
  }

  private order = '';

  private nextOrder(c: Column): string {
    // Numbers are most wanted from the top, text from A.
    const first = c.num ? `-${c.key}` : c.key;
    const second = c.num ? c.key : `-${c.key}`;
    return this.order === first ? second : first;
  }

  // show takes the rows that pass the filter, and sorts them.
  show(rows: Uint32Array, order: string): void {
    this.order = order;
    this.view = this.sorted(rows, order);
    this.place.clear();
    this.shown.fill(-1);
    this.body.style.height = `${this.view.length * rowHeight}px`;
    this.element.setAttribute('aria-rowcount', String(this.view.length + 1));
    this.empty.hidden = this.view.length > 0;
    for (const [key, cell] of this.heads) {
      const dir = order === key ? 'ascending' : order === `-${key}` ? 'descending' : 'none';
      cell.setAttribute('aria-sort', dir);
      cell.querySelector('.arrow')!.textContent = dir === 'ascending' ? '▲' : dir === 'descending' ? '▼' : '';
    }
    this.element.scrollTop = 0;
    this.draw();
  }

  private sorted(rows: Uint32Array, order: string): Uint32Array {
    const down = order.startsWith('-');
    const c = this.columns.find((x) => x.key === (down ? order.slice(1) : order));
    if (!c) return rows;
    let keys: ArrayLike<number>;
    if (c.sort instanceof Float64Array) keys = c.sort;
    else {
      const ranks = c.sort.ranks();
      keys = c.sort.at.map((word) => ranks[word]);
    }
    // The sort is stable and rows are in the order of their ids, so that equal keys keep it.
    return rows.slice().sort(down ? (a, b) => keys[b] - keys[a] : (a, b) => keys[a] - keys[b]);
  }

  select(row: number, reveal: boolean): void {
    this.selected = row;
    if (reveal) {
      const at = this.at(row);
      if (at >= 0) this.reveal(at);
    }
    this.draw();
  }

  // step moves the selection by n rows.
  step(n: number): void {
    if (this.view.length === 0) return;
    const at = this.at(this.selected);
    const next = Math.max(0, Math.min(this.view.length - 1, at < 0 && n <= 1 ? 0 : at + n));
    this.reveal(next);
    this.onSelect(this.view[next]);
  }

  private at(row: number): number {
    if (this.place.size === 0) this.view.forEach((r, i) => this.place.set(r, i));
    return this.place.get(row) ?? -1;
  }

  private reveal(at: number): void {
    const top = at * rowHeight;
    const room = this.element.clientHeight - rowHeight - 4; // below the head
    if (top < this.element.scrollTop) this.element.scrollTop = top;
    else if (top + rowHeight > this.element.scrollTop + room) this.element.scrollTop = top + rowHeight - room;
  }

  private key(ev: KeyboardEvent): void {
    if (ev.altKey || ev.ctrlKey || ev.metaKey || ev.target !== this.element) return;
    const page = Math.max(1, Math.floor(this.element.clientHeight / rowHeight) - 2);
    const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    const n = steps[ev.key];
    if (n === undefined) return;
    ev.preventDefault();
    this.step(n);
  }

  private schedule(): void {
    if (!this.frame) this.frame = requestAnimationFrame(() => this.draw());
  }

  private draw(): void {
    this.frame = 0;
    const first = Math.max(0, Math.floor(this.element.scrollTop / rowHeight) - overscan);
    const wanted = Math.ceil(this.element.clientHeight / rowHeight) + 2 * overscan;
    const last = Math.min(this.view.length, first + wanted);
    while (this.pool.length < wanted) {
      this.pool.push(this.newRow());
      this.shown.push(-1);
    }
    const n = this.pool.length;
    for (let slot = 0; slot < n; slot++) {
      // Place p lives in slot p mod n: a row that stays in sight keeps its element.
      const at = first + ((slot - (first % n) + n) % n);
      const element = this.pool[slot];
      if (at >= last) {
        element.hidden = true;
        this.shown[slot] = -1;
        continue;
      }
      const row = this.view[at];
      if (this.shown[slot] !== row || element.dataset.at !== String(at)) this.fill(element, row, at);
      this.shown[slot] = row;
      element.hidden = false;
      const selected = row === this.selected;
      if ((element.getAttribute('aria-selected') === 'true') !== selected) element.setAttribute('aria-selected', String(selected));
      if (selected) this.element.setAttribute('aria-activedescendant', element.id);
    }
    if (this.selected < 0) this.element.removeAttribute('aria-activedescendant');
  }

  private newRow(): HTMLElement {
    const row = h('div', { class: 'grid-row', role: 'row', 'aria-selected': 'false' });
    row.style.gridTemplateColumns = this.template;
    for (const c of this.columns) row.append(h('div', { role: 'gridcell', class: c.num ? 'num' : undefined }));
    this.body.append(row);
    return row;
  }

  private fill(element: HTMLElement, row: number, at: number): void {
    element.style.transform = `translateY(${at * rowHeight}px)`;
    element.dataset.row = String(row);
    element.dataset.at = String(at);
    element.id = `${this.columns.length}-${this.ids[row]}`;
    element.setAttribute('aria-rowindex', String(at + 2));
    element.classList.toggle('odd', at % 2 === 1);
    for (let i = 0; i < this.columns.length; i++) this.columns[i].cell(row, element.children[i] as HTMLElement);
  }
}

// text and number cells; setting textContent on an unchanged element costs nothing worth avoiding.
export function textCell(value: (row: number) => string): Column['cell'] {
  return (row, cell) => {
    cell.textContent = value(row);
  };
}

// longTextCell shows the beginning, since layout of thousands of characters per row is slow, and the rest on hover.
export function longTextCell(value: (row: number) => string): Column['cell'] {
  return (row, cell) => {
    const s = value(row);
    cell.textContent = s.length > 300 ? s.slice(0, 300) + '…' : s;
    cell.title = s.length > 1000 ? s.slice(0, 1000) + '…' : s;
  };
}

// markCell shows a word as a mark with a class.
export function markCell(value: (row: number) => [text: string, cls: string, title?: string]): Column['cell'] {
  return (row, cell) => {
    const [text, cls, title] = value(row);
    let mark = cell.firstElementChild as HTMLElement | null;
    if (!mark) {
      mark = h('span');
      cell.append(mark);
    }
    mark.textContent = text;
    mark.className = cls;
    mark.title = title ?? '';
  };
}

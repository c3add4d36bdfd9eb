// List: a view of one table: a search box, a line that counts, the grid, and a detail panel for the selected row.

import type { Table, Text } from './blocks';
import { h, on } from './dom';
import { count } from './format';
import { type Column, Grid } from './grid';
import { compile, type Fields } from './query';
import { type State, write } from './state';

export interface ListOptions {
  noun: string;
  table: Table;
  total: number; // in the analysis; the table may hold fewer
  columns: Column[];
  order: string;
  fields: Fields;
  searched: Text[];
  examples: string[];
  placeholder: string;
  onRows?: (rows: Uint32Array) => void;
  onSelect: (row: number) => void; // -1: none
}

export class List {
  readonly input: HTMLInputElement;
  readonly grid: Grid;
  private readonly line = h('p', { class: 'count', role: 'status', 'aria-live': 'polite' });
  private readonly problem = h('p', { class: 'problem', role: 'alert', hidden: true });
  private state: State | undefined;
  private filtered: string | undefined; // query and order that the grid shows
  private timer = 0;

  constructor(parent: HTMLElement, private readonly o: ListOptions, above?: HTMLElement) {
    this.input = h('input', { type: 'search', placeholder: o.placeholder, 'aria-label': `Search ${o.noun}s`, spellcheck: 'false', autocomplete: 'off' });
    const examples = h('div', { class: 'chips' });
    for (const q of o.examples) {
      const chip = h('button', { type: 'button', class: 'chip' }, q);
      on(chip, 'click', () => this.toggle(q));
      examples.append(chip);
    }
    this.grid = new Grid(`${o.noun}s`, o.table, o.columns, (sort) => this.change({ sort }, true), (row) => this.pick(row));
    parent.append(
      h('div', { class: 'search' }, this.input, examples, this.line), this.problem,
      ...(above ? [above] : []), this.grid.element);
    on(this.input, 'input', () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.change({ query: this.input.value }, false), 90);
    });
    on(this.input, 'keydown', (ev) => {
      if (ev.key === 'Enter' || ev.key === 'ArrowDown') {
        ev.preventDefault();
        this.flush();
        this.grid.element.focus();
        this.grid.step(0);
      }
    });
  }

  // flush applies what was typed without waiting for a pause.
  flush(): void {
    clearTimeout(this.timer);
    if (this.state && this.state.query !== this.input.value) this.change({ query: this.input.value }, false);
  }

  private toggle(q: string): void {
    const words = this.input.value.split(/\s+/).filter(Boolean);
    const i = words.indexOf(q);
    if (i < 0) words.push(q);
    else words.splice(i, 1);
    this.change({ query: words.join(' ') }, true);
  }

  change(to: Partial<State>, step: boolean): void {
    if (!this.state) return;
    const next = { ...this.state, ...to };
    write(next, step);
    this.apply(next);
  }

  private pick(row: number): void {
    this.change({ selected: this.o.table.num('id')[row] }, false);
  }

  // forget makes the next apply show the selection anew.
  forget(): void {
    if (this.state) this.state = { ...this.state, selected: -1 };
  }

  get fields(): Fields {
    return this.o.fields;
  }

  // apply shows a state.
  apply(s: State): void {
    const before = this.state;
    this.state = s;
    if (this.input.value.trim() !== s.query.trim()) this.input.value = s.query;
    const key = `${s.query}\0${s.sort}`;
    const fresh = key !== this.filtered;
    if (fresh) {
      this.filtered = key;
      this.filter(s);
    }
    if (fresh || !before || before.selected !== s.selected) {
      const row = s.selected ? this.o.table.find(s.selected) : -1;
      this.grid.select(row, row >= 0);
      this.o.onSelect(row);
      if (s.selected && row < 0) this.complain([`${this.o.noun} #${s.selected} is not in this page.`]);
    }
  }

  private filter(s: State): void {
    const f = compile(s.query, this.o.fields, this.o.searched);
    this.complain(f.problems);
    const rows = new Uint32Array(this.o.table.rows);
    let n = 0;
    for (let i = 0; i < this.o.table.rows; i++) if (f.empty || f.test(i)) rows[n++] = i;
    const chosen = rows.subarray(0, n);
    this.grid.show(chosen, s.sort || this.o.order);
    const inPage = this.o.table.rows;
    this.line.textContent = `${count(n)} of ${count(inPage)}` + (inPage < this.o.total ? ` in this page (${count(this.o.total)} recorded)` : '');
    this.o.onRows?.(chosen);
    for (const chip of this.input.parentElement!.querySelectorAll('.chip')) {
      chip.setAttribute('aria-pressed', String(s.query.split(/\s+/).includes(chip.textContent ?? '')));
    }
  }

  private complain(problems: string[]): void {
    this.problem.textContent = problems.join(' ');
    this.problem.hidden = problems.length === 0;
  }
}

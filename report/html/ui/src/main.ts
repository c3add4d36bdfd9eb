// The page: shows the view that the address names. The first two views are there without any script; the tables are
// decoded when they are first shown.

import { block, type Meta, type RawTable, Table } from './blocks';
import { connectionsView } from './connections';
import { Detail } from './detail';
import { byId, h } from './dom';
import { exchangesView } from './exchanges';
import { setUpHelp } from './help';
import type { List } from './list';
import { last, read, remember, type State, type View, views, write } from './state';

interface Tables {
  meta: Meta;
  exchanges: Table;
  connections: Table;
  detail: Detail;
}

let tables: Promise<Tables> | undefined;
const lists = new Map<View, List>();
let current: State = read();

function load(): Promise<Tables> {
  tables ??= (async () => {
    const [meta, e, c] = await Promise.all([block<Meta>('meta'), block<RawTable>('exchanges'), block<RawTable>('connections')]);
    const exchanges = new Table(e);
    const connections = new Table(c);
    return { meta, exchanges, connections, detail: new Detail(byId('detail'), meta, exchanges, connections, closeDetail) };
  })();
  return tables;
}

async function listOf(view: View): Promise<List | undefined> {
  if (view !== 'exchanges' && view !== 'connections') return undefined;
  const t = await load();
  let list = lists.get(view);
  if (!list) {
    const section = byId(view);
    section.replaceChildren();
    list = view === 'exchanges'
      ? exchangesView(section, t.meta, t.exchanges, (row) => (row < 0 ? t.detail.hide() : void t.detail.exchange(row).catch(fail)))
      : connectionsView(section, t.meta, t.connections, (row) => (row < 0 ? t.detail.hide() : t.detail.connection(row)));
    lists.set(view, list);
  }
  return list;
}

async function show(s: State): Promise<void> {
  const changed = s.view !== current.view;
  current = s;
  remember(s);
  for (const v of views) byId(v).hidden = v !== s.view;
  for (const tab of document.querySelectorAll<HTMLElement>('.tabs a')) {
    if (tab.dataset.view === s.view) tab.setAttribute('aria-current', 'page');
    else tab.removeAttribute('aria-current');
  }
  document.documentElement.dataset.view = s.view;
  if (changed && tables) (await tables).detail.hide();
  const list = await listOf(s.view);
  if (current !== s) return; // the reader went on
  if (list) {
    // The list may have been left with another selection: show this one again.
    if (changed) list.forget();
    list.apply(s);
    list.grid.element.focus({ preventScroll: true });
  } else if (changed) window.scrollTo(0, 0);
}

function go(view: View): void {
  const s = last(view);
  write(s, true);
  void show(s).catch(fail);
}

function closeDetail(): void {
  lists.get(current.view)?.change({ selected: 0 }, false);
  lists.get(current.view)?.grid.element.focus();
}

function escape(): void {
  const list = lists.get(current.view);
  if (!list) return;
  if (!byId('detail').hidden) closeDetail();
  else if (list.input.value !== '') {
    list.change({ query: '' }, true);
    list.grid.element.focus();
  } else list.grid.element.focus();
}

const toggleHelp = setUpHelp(() => lists.get(current.view)?.fields);

function key(ev: KeyboardEvent): void {
  if (ev.altKey || ev.ctrlKey || ev.metaKey || (byId('help') as HTMLDialogElement).open) return;
  const list = lists.get(current.view);
  if (ev.key === 'Escape') return escape();
  const target = ev.target as HTMLElement;
  if (target instanceof HTMLInputElement) return;
  const view = views[Number(ev.key) - 1];
  if (view) go(view);
  else if (ev.key === '?') toggleHelp();
  else if (ev.key === '/') {
    ev.preventDefault();
    if (list) list.input.select();
    else void showAndSearch();
  } else if (ev.key === 'j') list?.grid.step(1);
  else if (ev.key === 'k') list?.grid.step(-1);
}

async function showAndSearch(): Promise<void> {
  const s = last('exchanges');
  write(s, true);
  await show(s);
  lists.get('exchanges')?.input.select();
}

// fail shows an error that the page cannot go on from: its file was cut or changed, or the browser is too old.
function fail(err: unknown): void {
  console.error(err);
  byId(current.view).prepend(h('p', { class: 'problem', role: 'alert' }, `This view could not be shown: ${err instanceof Error ? err.message : String(err)}. The file may be damaged, or the browser too old.`));
}

document.documentElement.classList.add('scripted');
addEventListener('keydown', key);
// An edge of the drawing or the table leads to its exchanges; the tabs keep the state that their view was left in.
addEventListener('click', (ev) => {
  const tab = (ev.target as Element).closest<HTMLElement>('.tabs a');
  if (!tab || ev.ctrlKey || ev.metaKey || ev.shiftKey || ev.button !== 0) return;
  ev.preventDefault();
  go(tab.dataset.view as View);
});
addEventListener('hashchange', () => void show(read()).catch(fail));
void show(current).catch(fail);

// The state of the page lives in its address: a copied link shows the same view, search, order and selection. Unknown keys
// are ignored, so that links outlive versions.

export type View = 'overview' | 'edges' | 'exchanges' | 'connections';
export const views: View[] = ['overview', 'edges', 'exchanges', 'connections'];

export interface State {
  view: View;
  query: string;
  sort: string; // column, with a minus for descending; '' the view's own order
  selected: number; // id; 0 none
}

const remembered = new Map<View, State>();

export function read(): State {
  const p = new URLSearchParams(location.hash.slice(1));
  const v = p.get('v') as View;
  const selected = Number(p.get('sel'));
  return {
    view: views.includes(v) ? v : 'overview',
    query: p.get('q') ?? '',
    sort: p.get('s') ?? '',
    selected: Number.isSafeInteger(selected) && selected > 0 ? selected : 0,
  };
}

function address(s: State): string {
  const p = new URLSearchParams({ v: s.view });
  if (s.query) p.set('q', s.query);
  if (s.sort) p.set('s', s.sort);
  if (s.selected) p.set('sel', String(s.selected));
  return '#' + p.toString();
}

// write shows the state in the address. A step that a reader may want to undo becomes an entry of the history.
export function write(s: State, step: boolean): void {
  remembered.set(s.view, s);
  const hash = address(s);
  if (hash === location.hash) return;
  if (step) history.pushState(null, '', hash);
  else history.replaceState(null, '', hash);
}

// last returns how a view was left.
export function last(view: View): State {
  return remembered.get(view) ?? { view, query: '', sort: '', selected: 0 };
}

export function remember(s: State): void {
  remembered.set(s.view, s);
}

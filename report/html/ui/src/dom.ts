// Elements. Strings become text nodes and nothing else: there is no way from captured bytes to markup.

type Child = Node | string | number | null | undefined | false;

export function h<K extends keyof HTMLElementTagNameMap>(tag: K, attrs?: Record<string, string | number | boolean | undefined>, ...children: Child[]): HTMLElementTagNameMap[K] {
  const e = document.createElement(tag);
  set(e, attrs);
  append(e, children);
  return e;
}

export function svg(tag: string, attrs?: Record<string, string | number>, ...children: Child[]): SVGElement {
  const e = document.createElementNS('http://www.w3.org/2000/svg', tag);
  set(e, attrs);
  append(e, children);
  return e;
}

function set(e: Element, attrs?: Record<string, string | number | boolean | undefined>): void {
  for (const [k, v] of Object.entries(attrs ?? {})) {
    if (v === undefined || v === false) continue;
    e.setAttribute(k, v === true ? '' : String(v));
  }
}

function append(e: Element, children: Child[]): void {
  for (const c of children) {
    if (c === null || c === undefined || c === false) continue;
    e.append(c instanceof Node ? c : String(c));
  }
}

export function byId(id: string): HTMLElement {
  const e = document.getElementById(id);
  if (!e) throw new Error(`the page has no #${id}: it is damaged`);
  return e;
}

export function on<K extends keyof HTMLElementEventMap>(e: HTMLElement, type: K, f: (ev: HTMLElementEventMap[K]) => void): void {
  e.addEventListener(type, f);
}

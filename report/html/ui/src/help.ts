// The help dialog: keys and the search language.

import { byId, h, on } from './dom';
import type { Fields } from './query';

const keys: [string, string][] = [
  ['1 … 4', 'the views'],
  ['/', 'search'],
  ['j, k or ↓, ↑', 'next, previous row'],
  ['Page ↓, Page ↑, Home, End', 'further'],
  ['Esc', 'close the detail, then clear the search'],
  ['?', 'this help'],
];

export function setUpHelp(fields: () => Fields | undefined): () => void {
  const dialog = byId('help') as HTMLDialogElement;
  const close = h('button', { type: 'button', class: 'close', 'aria-label': 'Close (Esc)' }, '×');
  on(close, 'click', () => dialog.close());
  on(dialog, 'click', (ev) => {
    if (ev.target === dialog) dialog.close();
  });
  const toggle = () => {
    if (dialog.open) return dialog.close();
    const list = h('dl', { class: 'facts' });
    for (const [key, what] of keys) list.append(h('dt', {}, h('kbd', {}, key)), h('dd', {}, what));
    const language = h('dl', { class: 'facts' });
    for (const [name, f] of Object.entries(fields() ?? {})) if (f.help) language.append(h('dt', {}, h('code', {}, name)), h('dd', {}, f.help));
    dialog.replaceChildren(
      h('header', {}, h('h2', {}, 'Help'), close),
      h('h3', {}, 'Keys'), list,
      h('h3', {}, 'Search of this view'),
      h('p', {}, 'Words must all be in the row (target, host, method, process, address, trace id). Conditions narrow it: a field, one of = != > >= < <= : (contains), a value. A minus turns a word or a condition round. Quotes keep spaces.'),
      language);
    dialog.showModal();
    return undefined;
  };
  on(byId('help-open'), 'click', toggle);
  return toggle;
}

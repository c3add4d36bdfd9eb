// The detail panel: one exchange or one connection, everything that the page knows of it.

import { block, bytesOf, type Details, type Messages, type Meta, type Table } from './blocks';
import { certainty } from './connections';
import { h, on, svg } from './dom';
import { lacks, stateOf } from './exchanges';
import { bytes, count, duration, of, offset, roles, statusClass, wall } from './format';
import { asHex, asText, isText } from './visible';

export class Detail {
  private token = 0; // of the newest request; older answers are dropped

  constructor(
    private readonly panel: HTMLElement,
    private readonly meta: Meta,
    private readonly exchanges: Table,
    private readonly connections: Table,
    private readonly onClose: () => void,
  ) {}

  hide(): void {
    this.token++;
    this.panel.hidden = true;
    this.panel.replaceChildren();
    document.documentElement.classList.remove('with-detail');
  }

  private open(title: HTMLElement, ...content: (Node | null)[]): void {
    const close = h('button', { type: 'button', class: 'close', 'aria-label': 'Close (Esc)', title: 'Close (Esc)' }, '×');
    on(close, 'click', () => this.onClose());
    this.panel.replaceChildren(h('header', {}, title, close), ...content.filter((n) => n !== null));
    this.panel.hidden = false;
    this.panel.scrollTop = 0;
    document.documentElement.classList.add('with-detail');
  }

  async exchange(row: number): Promise<void> {
    const mine = ++this.token;
    const t = this.exchanges;
    const num = (c: string) => t.num(c)[row];
    const text = (c: string) => t.text(c).get(row);
    const ordinal = num('detail');
    const details = ordinal >= 0 ? await block<Details>(`details-${Math.floor(ordinal / this.meta.detailsPerBlock)}`) : undefined;
    if (mine !== this.token) return;
    const at = ordinal % this.meta.detailsPerBlock;

    const status = num('status');
    const title = h('h2', {}, h('span', { class: `status ${statusClass(status)}` }, status || '?'), ` ${text('method')} `,
      h('span', { class: 'mono' }, short(text('target'), 200)));
    const missing = num('missing');
    const pairing = num('pairing');
    const state = stateOf(missing, pairing, this.meta.cuts);
    const lacking = lacks(missing, pairing, this.meta);
    const anomalies = text('anomalies');

    this.open(title,
      h('p', { class: 'line' }, h('span', { class: `q ${state.replace(' ', '-')}` }, state), ` exchange #${num('id')}, ${ordinalOf(num('index'))} on its connection, seen by the ${roles[num('role')]}`,
        num('pipelined') ? ', pipelined' : ''),
      lacking.length ? h('ul', { class: 'lacks' }, ...lacking.map((s) => h('li', {}, s))) : null,
      anomalies ? h('p', { class: 'line' }, 'anomalies: ', h('code', {}, anomalies)) : null,
      this.timing(row),
      facts([
        ['wall time', wall(this.meta.base, num('start'))],
        ['start', offset(num('start'))],
        ['duration', `${duration(num('duration'))}`],
        ['host', text('host')],
        ['target', text('target')],
        ['process', `${text('process') || '?'}, pid ${num('pid')}, thread ${num('tid')}`],
        ['local', text('local')],
        ['remote', text('remote')],
        ['edge', this.edge(num('edge'))],
        ['other side', num('peer') ? this.link('exchanges', num('id') + num('peer'), this.otherSide(row)) : 'not in the reel, or not joined'],
        ['why here', ['among the slowest', 'failed', 'incomplete', 'in the uniform sample'][num('why')]],
      ]),
      details ? trace(details.trace[at]) : null,
      ...(details
        ? [message('Request', details.request, at), interim(details.interim[at]), message('Response', details.response, at)]
        : [h('p', { class: 'hint' }, 'Headers and bodies of this exchange are not in the page, to keep it small. They are in the reel.')]),
      this.connectionFacts(num('conn')),
    );
  }

  private otherSide(row: number): string {
    const t = this.exchanges;
    const other = t.find(t.num('id')[row] + t.num('peer')[row]);
    if (other < 0) return `#${t.num('id')[row] + t.num('peer')[row]} (not in this page)`;
    const there = t.num('duration')[other];
    const here = t.num('duration')[row];
    const differ = here >= 0 && there >= 0 ? `, ${duration(Math.abs(here - there))} ${there <= here ? 'less' : 'more'} than here` : '';
    return `#${t.num('id')[other]}: ${roles[t.num('role')[other]]} ${t.text('process').get(other)}, ${duration(there)}${differ}`;
  }

  private edge(i: number): string | HTMLElement {
    const e = this.meta.edges[i];
    if (!e) return 'unknown';
    return h('a', { href: `#v=exchanges&q=edge%3D${i}` }, `${e.client} → ${e.server}:${e.port} (${e.protocol})`);
  }

  private link(view: string, id: number, label: string): HTMLElement {
    return h('a', { href: `#v=${view}&sel=${id}` }, label);
  }

  // timing draws the three parts of an exchange to scale.
  private timing(row: number): HTMLElement | null {
    const t = this.exchanges;
    const total = t.num('duration')[row];
    const upload = t.num('upload')[row];
    const ttfb = t.num('ttfb')[row];
    if (total <= 0 || ttfb < 0) return h('p', { class: 'hint' }, 'The timing is not known: an end of the exchange was not seen.');
    const sent = Math.min(Math.max(upload, 0), ttfb);
    const parts: [string, string, number][] = [['request', 'upload', sent], ['wait', 'wait', ttfb - sent], ['response', 'download', Math.max(0, total - ttfb)]];
    const bar = svg('svg', { class: 'timing', viewBox: '0 0 1000 14', preserveAspectRatio: 'none', role: 'img', 'aria-label': parts.map((p) => `${p[0]} ${duration(p[2])}`).join(', ') });
    let x = 0;
    for (const [, cls, ns] of parts) {
      const w = (ns / total) * 1000;
      bar.append(svg('rect', { class: cls, x: x.toFixed(2), y: 0, width: Math.max(w, 1).toFixed(2), height: 14 }));
      x += w;
    }
    return h('div', { class: 'timings' }, bar, h('p', {}, ...parts.flatMap(([label, cls, ns]) => [h('span', { class: `key ${cls}` }), `${label} ${duration(ns)}  `])));
  }

  private connectionFacts(id: number): HTMLElement {
    const row = this.connections.find(id);
    if (row < 0) return h('p', { class: 'hint' }, `Connection #${id} is not in this page.`);
    return h('section', {}, h('h3', {}, this.link('connections', id, `Connection #${id}`)), this.connectionTable(row));
  }

  private connectionTable(row: number): HTMLElement {
    const t = this.connections;
    const num = (c: string) => t.num(c)[row];
    const text = (c: string) => t.text(c).get(row);
    const direction = (d: 'Read' | 'Write') => {
      const lost = num(`lost${d}`);
      return `${bytes(num(`bytes${d}`))} in ${of(num(`calls${d}`), 'call')} (${duration(num(`time${d}`))} in them), ${bytes(num(`captured${d}`))} captured` +
        (lost || num(`gaps${d}`) ? `, ${bytes(lost)} lost in ${of(num(`gaps${d}`), 'gap')}` : ', none lost');
    };
    const by = text('roleBy');
    return facts([
      ['process', `${text('process')} ${num('pid')}`],
      ['role', h('span', {}, `${roles[num('role')]} `, h('span', { class: `q ${certainty(by)}` }, certainty(by)), ` by ${by || 'nothing'}`)],
      ['local', text('local')],
      ['remote', text('remote')],
      ['protocol', text('protocol')],
      ['begin', num('sawStart') ? `${offset(num('start'))}, call took ${duration(num('connect'))}` : `before ${offset(num('start'))}: not seen`],
      ['end', num('sawEnd') ? offset(num('end')) : `after ${offset(num('end'))}: not seen`],
      ['error', num('errno') ? errno(num('errno')) : ''],
      ['read', direction('Read')],
      ['written', direction('Write')],
      ['accepted', num('acceptWait') < 0 ? '' : `${duration(num('acceptWait'))} after the handshake`],
      ['closed', num('close') < 0 ? '' : `${duration(num('close'))} after the first FIN of this end`],
      ['round trip', num('srtt') ? `${duration(num('srtt'))} (smoothed, last known), ${duration(num('rttMean') || -1)} mean, ${duration(num('rttMin') || -1)} least` : 'unknown'],
      ['retransmits', of(num('retrans'), 'segment') + (text('resent') ? `: ${text('resent')}` : '')],
      ['dropped', text('drops')],
      ['resets', text('resetWords')],
      ['zero windows', text('zeroWindows')],
      ['exchanges', h('a', { href: `#v=exchanges&q=conn%3D${num('id')}` }, count(num('exchanges')))],
      ['edge', this.edge(num('edge'))],
      ['other end', num('peer') ? this.link('connections', num('peer'), `connection #${num('peer')}`) : 'not in the reel'],
      ['socket', `${text('socket')}, inode ${num('inode')}, network namespace ${num('netns')}`],
    ]);
  }

  connection(row: number): void {
    this.token++;
    const t = this.connections;
    this.open(h('h2', {}, `Connection #${t.num('id')[row]}`), this.connectionTable(row));
  }
}

function facts(rows: [string, string | Node][]): HTMLElement {
  const dl = h('dl', { class: 'facts' });
  for (const [label, value] of rows) {
    if (value === '') continue;
    dl.append(h('dt', {}, label), h('dd', {}, value));
  }
  return dl;
}

function trace(t: string[]): HTMLElement | null {
  if (t.length === 0) return null;
  const [format, traceID, span, parent, sampled] = t;
  return h('section', {}, h('h3', {}, 'Trace ', h('span', { class: 'hint' }, format)), facts([
    ['trace id', h('a', { class: 'mono', href: `#v=exchanges&q=${encodeURIComponent(`trace=${traceID}`)}`, title: 'exchanges of this trace' }, traceID)],
    ['span id', h('span', { class: 'mono' }, span)],
    ['parent', parent ? h('span', { class: 'mono' }, parent) : ''],
    ['sampled', sampled],
  ]));
}

function interim(statuses: number[]): HTMLElement | null {
  return statuses.length ? h('p', { class: 'line' }, `interim responses before the final one: ${statuses.join(', ')}`) : null;
}

function message(title: string, m: Messages, i: number): HTMLElement {
  if (m.wire[i] === 0 && m.headers[i].length === 0) return h('section', {}, h('h3', {}, title), h('p', { class: 'hint' }, 'not seen'));
  const size = `${m.version[i]} · head ${bytes(m.head[i])}, body ${bytes(m.body[i])}${m.chunked[i] ? ' (chunked)' : ''}, ${bytes(m.wire[i])} on the wire in ${of(m.calls[i], 'call')}`;
  const headers = h('dl', { class: 'headers' });
  for (let j = 0; j < m.headers[i].length; j += 2) headers.append(h('dt', {}, m.headers[i][j]), h('dd', {}, m.headers[i][j + 1]));
  return h('section', {}, h('h3', {}, title, ' ', h('span', { class: 'hint' }, size)), headers, body(bytesOf(m.bytes[i] ?? ''), m.body[i], m.bytesCut[i] !== 0));
}

function body(b: Uint8Array, total: number, cut: boolean): HTMLElement {
  if (total === 0) return h('p', { class: 'hint' }, 'no body');
  if (b.length === 0) return h('p', { class: 'hint' }, `body of ${bytes(total)}, not captured`);
  const text = isText(b);
  const pre = h('pre', { tabindex: 0 }, text ? asText(b) : asHex(b));
  const shown = b.length < total ? `the first ${bytes(b.length)} of ${bytes(total)}${cut ? '; the reel has more' : ''}` : `all ${bytes(total)}`;
  const toggle = h('button', { type: 'button', class: 'chip', 'aria-pressed': String(!text) }, 'hex');
  on(toggle, 'click', () => {
    const hex = toggle.getAttribute('aria-pressed') !== 'true';
    toggle.setAttribute('aria-pressed', String(hex));
    pre.textContent = hex ? asHex(b) : asText(b);
  });
  return h('div', { class: 'body' }, h('p', { class: 'hint' }, 'body: ', shown, ' ', toggle), pre);
}

// The errors that sockets meet, by their numbers on Linux (asm-generic/errno.h; a reel is always of Linux).
const errors: Record<number, string> = {
  4: 'EINTR', 9: 'EBADF', 11: 'EAGAIN', 13: 'EACCES', 32: 'EPIPE', 98: 'EADDRINUSE', 99: 'EADDRNOTAVAIL', 100: 'ENETDOWN', 101: 'ENETUNREACH',
  103: 'ECONNABORTED', 104: 'ECONNRESET', 105: 'ENOBUFS', 107: 'ENOTCONN', 108: 'ESHUTDOWN', 110: 'ETIMEDOUT', 111: 'ECONNREFUSED', 112: 'EHOSTDOWN', 113: 'EHOSTUNREACH', 115: 'EINPROGRESS',
};

function errno(n: number): string {
  return errors[n] ? `${errors[n]} (${n})` : `errno ${n}`;
}

function short(s: string, n: number): string {
  return s.length > n ? s.slice(0, n) + '…' : s;
}

function ordinalOf(n: number): string {
  const tens = n % 100;
  const suffix = tens >= 11 && tens <= 13 ? 'th' : (['th', 'st', 'nd', 'rd'][n % 10] ?? 'th');
  return `${count(n)}${suffix}`;
}

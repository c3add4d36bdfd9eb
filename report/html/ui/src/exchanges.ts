// The view of exchanges.

import type { Meta, Table } from './blocks';
import { Chart } from './chart';
import { bytes, duration, offset, roles, statusClass } from './format';
import { type Column, longTextCell, markCell, textCell } from './grid';
import { List } from './list';
import { type Fields, withRange } from './query';

// completeness of an exchange, in the words of the Go side.
export function stateOf(missing: number, pairing: number, cuts: number): string {
  return missing & ~cuts ? 'incomplete' : pairing === inferred ? 'inferred' : missing ? 'body cut' : 'complete';
}

export function lacks(missing: number, pairing: number, meta: Meta): string[] {
  const words = meta.lacks.filter((_, bit) => missing & (1 << bit));
  return pairing === inferred ? [meta.inferred, ...words] : words;
}

const inferred = 1; // facts.Inferred

export function exchangesView(parent: HTMLElement, meta: Meta, t: Table, onSelect: (row: number) => void): List {
  const status = t.num('status');
  const missing = t.num('missing');
  const pairing = t.num('pairing');
  const role = t.num('role');
  const start = t.num('start');
  const dur = t.num('duration');
  const ttfb = t.num('ttfb');
  const sent = t.num('sent');
  const received = t.num('received');
  const pid = t.num('pid');
  const method = t.text('method');
  const host = t.text('host');
  const target = t.text('target');
  const process = t.text('process');
  const peer = t.num('peer');
  const pipelined = t.num('pipelined');
  const detail = t.num('detail');
  const ids = t.num('id');

  const columns: Column[] = [
    { key: 'id', label: '#', width: '64px', num: true, sort: ids, cell: textCell((r) => String(ids[r])) },
    { key: 'start', label: 'start', title: 'since the first event of the page', width: '108px', num: true, sort: start, cell: textCell((r) => offset(start[r])) },
    { key: 'duration', label: 'duration', title: 'client: first request byte written to last response byte read; server: read to written', width: '82px', num: true, sort: dur, cell: textCell((r) => duration(dur[r])) },
    { key: 'ttfb', label: 'first byte', title: 'to the first byte of the response', width: '82px', num: true, sort: ttfb, cell: textCell((r) => duration(ttfb[r])) },
    { key: 'status', label: 'status', width: '58px', num: true, sort: status, cell: markCell((r) => [status[r] ? String(status[r]) : '?', `status ${statusClass(status[r])}`]) },
    { key: 'state', label: 'state', title: 'is anything of it missing?', width: '84px', sort: missing, cell: markCell((r) => {
      const s = stateOf(missing[r], pairing[r], meta.cuts);
      return [s, `q ${s.replace(' ', '-')}`, lacks(missing[r], pairing[r], meta).join('; ')];
    }) },
    { key: 'method', label: 'method', width: '62px', sort: method, cell: textCell((r) => method.get(r)) },
    { key: 'host', label: 'host', width: 'minmax(116px, 0.7fr)', sort: host, cell: longTextCell((r) => host.get(r)) },
    { key: 'target', label: 'target', width: 'minmax(180px, 2fr)', sort: target, cell: longTextCell((r) => target.get(r)) },
    { key: 'process', label: 'process', width: 'minmax(80px, 0.5fr)', sort: process, cell: longTextCell((r) => process.get(r) || `pid ${pid[r]}`) },
    { key: 'role', label: 'role', title: 'which end of the connection saw it', width: '58px', sort: role, cell: textCell((r) => roles[role[r]]) },
    { key: 'sent', label: 'request', title: 'bytes of the request on the wire', width: '78px', num: true, sort: sent, cell: textCell((r) => bytes(sent[r])) },
    { key: 'received', label: 'response', title: 'bytes of the response on the wire', width: '78px', num: true, sort: received, cell: textCell((r) => bytes(received[r])) },
  ];

  const words = ['complete', 'cut', 'inferred', 'incomplete', 'error', 'joined', 'pipelined', 'detailed'];
  const tests: Record<string, (r: number) => boolean> = {
    complete: (r) => stateOf(missing[r], pairing[r], meta.cuts) === 'complete',
    inferred: (r) => pairing[r] === inferred,
    cut: (r) => missing[r] !== 0 && (missing[r] & ~meta.cuts) === 0,
    incomplete: (r) => (missing[r] & ~meta.cuts) !== 0,
    error: (r) => status[r] >= 400,
    joined: (r) => peer[r] !== 0,
    pipelined: (r) => pipelined[r] !== 0,
    detailed: (r) => detail[r] >= 0,
  };
  const fields: Fields = {
    status: { kind: 'number', unit: 'count', values: status, unknown: 0, help: 'status>=500, status=4xx' },
    dur: { kind: 'number', unit: 'time', values: dur, unknown: -1, help: 'dur>100ms' },
    duration: { kind: 'number', unit: 'time', values: dur, unknown: -1, help: '' },
    ttfb: { kind: 'number', unit: 'time', values: ttfb, unknown: -1, help: 'time to first byte, ttfb>1s' },
    start: { kind: 'number', unit: 'time', values: start, help: 'since the first event, start>2.5s' },
    sent: { kind: 'number', unit: 'bytes', values: sent, help: 'bytes of the request, sent>4k' },
    received: { kind: 'number', unit: 'bytes', values: received, help: 'bytes of the response' },
    id: { kind: 'number', unit: 'count', values: ids, help: '' },
    pid: { kind: 'number', unit: 'count', values: pid, help: '' },
    tid: { kind: 'number', unit: 'count', values: t.num('tid'), help: 'thread' },
    conn: { kind: 'number', unit: 'count', values: t.num('conn'), help: 'connection' },
    edge: { kind: 'number', unit: 'count', values: t.num('edge'), unknown: -1, help: 'number of an edge, as its links have it' },
    method: { kind: 'text', values: method, help: 'method=POST' },
    host: { kind: 'text', values: host, help: 'host:cart' },
    path: { kind: 'text', values: target, help: 'path:/api/' },
    target: { kind: 'text', values: target, help: '' },
    process: { kind: 'text', values: process, help: 'process=nginx' },
    local: { kind: 'text', values: t.text('local'), help: 'own address' },
    remote: { kind: 'text', values: t.text('remote'), help: "the other end's address, remote:10.0.0." },
    trace: { kind: 'text', values: t.text('trace'), help: 'trace id' },
    anomaly: { kind: 'text', values: t.text('anomalies'), help: 'anomaly:bare' },
    role: { kind: 'words', words: ['client', 'server', 'unknown'], test: (w) => (r) => roles[role[r]] === w, help: 'role=client' },
    is: { kind: 'words', words, test: (w) => tests[w], help: `is:${words.join(', is:')}` },
  };
  const chart = new Chart(start, dur, status, meta.firings ?? [], (range) => {
    list.change({ query: withRange(list.input.value, ['start', 'dur', 'duration'], range) }, true);
  });
  const list = new List(parent, {
    noun: 'exchange', table: t, total: meta.exchanges, columns, order: 'id', fields,
    searched: [target, method, host, process, t.text('remote'), t.text('trace'), t.text('anomalies')],
    examples: ['is:error', 'status>=500', 'is:incomplete', 'dur>100ms', 'role=client', 'role=server'],
    placeholder: 'Search: words, status>=500, dur>100ms, path:/api, -is:complete',
    onRows: (rows) => chart.show(rows),
    onSelect: (row) => {
      chart.select(row);
      onSelect(row);
    },
  }, chart.element);
  return list;
}

// The view of connections.

import type { Meta, Table } from './blocks';
import { bytes, count, duration, offset, roles } from './format';
import { type Column, longTextCell, markCell, textCell } from './grid';
import { List } from './list';
import type { Fields } from './query';

function sum(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((v, i) => v + b[i]);
}

// certainty of a role by how it is known, as on the Go side.
export function certainty(roleBy: string): string {
  return ['connect', 'accept', 'listener', 'peer'].includes(roleBy) ? 'exact' : roleBy === '' ? 'unknown' : 'inferred';
}

export function connectionsView(parent: HTMLElement, meta: Meta, t: Table, onSelect: (row: number) => void): List {
  const ids = t.num('id');
  const start = t.num('start');
  const life = t.num('end').map((e, i) => Math.max(0, e - start[i]));
  const role = t.num('role');
  const pid = t.num('pid');
  const read = t.num('bytesRead');
  const written = t.num('bytesWrite');
  const lost = sum(t.num('lostRead'), t.num('lostWrite'));
  const gaps = sum(t.num('gapsRead'), t.num('gapsWrite'));
  const srtt = t.num('srtt').map((v) => v || -1);
  const retrans = t.num('retrans');
  const exchanges = t.num('exchanges');
  const connect = t.num('connect');
  const acceptWait = t.num('acceptWait');
  const close = t.num('close');
  const dropped = t.num('dropped');
  const resets = t.num('resets');
  const zero = t.num('zeroWindow');
  const drops = t.text('drops');
  const process = t.text('process');
  const local = t.text('local');
  const remote = t.text('remote');
  const protocol = t.text('protocol');
  const roleBy = t.text('roleBy');
  const sawStart = t.num('sawStart');
  const sawEnd = t.num('sawEnd');

  const columns: Column[] = [
    { key: 'id', label: '#', width: '60px', num: true, sort: ids, cell: textCell((r) => String(ids[r])) },
    { key: 'start', label: 'first seen', width: '122px', num: true, sort: start, cell: textCell((r) => (sawStart[r] ? '' : '≤ ') + offset(start[r])) },
    { key: 'life', label: 'life', title: 'from first to last sight', width: '78px', num: true, sort: life, cell: textCell((r) => (sawStart[r] && sawEnd[r] ? '' : '≥ ') + duration(life[r])) },
    { key: 'process', label: 'process', width: 'minmax(124px, 0.7fr)', sort: process, cell: longTextCell((r) => `${process.get(r) || 'pid'} ${pid[r]}`) },
    { key: 'role', label: 'role', width: '72px', sort: role, cell: markCell((r) => [`${roles[role[r]]}`, `q ${certainty(roleBy.get(r))}`, `known by: ${roleBy.get(r) || 'nothing'} (${certainty(roleBy.get(r))})`]) },
    { key: 'local', label: 'local', width: 'minmax(150px, 1fr)', sort: local, cell: longTextCell((r) => local.get(r)) },
    { key: 'remote', label: 'remote', width: 'minmax(150px, 1fr)', sort: remote, cell: longTextCell((r) => remote.get(r)) },
    { key: 'protocol', label: 'protocol', width: '66px', sort: protocol, cell: textCell((r) => protocol.get(r)) },
    { key: 'exchanges', label: 'exchanges', width: '78px', num: true, sort: exchanges, cell: textCell((r) => count(exchanges[r])) },
    { key: 'read', label: 'read', width: '78px', num: true, sort: read, cell: textCell((r) => bytes(read[r])) },
    { key: 'written', label: 'written', width: '78px', num: true, sort: written, cell: textCell((r) => bytes(written[r])) },
    { key: 'gaps', label: 'gaps', title: 'places where bytes are lost', width: '50px', num: true, sort: gaps, cell: markCell((r) => [count(gaps[r]), gaps[r] ? 'bad' : '']) },
    { key: 'lost', label: 'lost', title: 'bytes whose calls are not in the reel', width: '74px', num: true, sort: lost, cell: markCell((r) => [bytes(lost[r]), lost[r] ? 'bad' : '']) },
    { key: 'srtt', label: 'srtt', title: "TCP's smoothed round-trip time, last known", width: '72px', num: true, sort: srtt, cell: textCell((r) => duration(srtt[r])) },
    { key: 'retrans', label: 'retrans.', title: 'segments sent again', width: '62px', num: true, sort: retrans, cell: markCell((r) => [count(retrans[r]), retrans[r] ? 'warn' : '']) },
    { key: 'dropped', label: 'dropped', title: 'segments that the kernel threw away', width: '64px', num: true, sort: dropped, cell: markCell((r) => [count(dropped[r]), dropped[r] ? 'warn' : '', drops.get(r)]) },
    { key: 'resets', label: 'resets', title: 'sent and received', width: '54px', num: true, sort: resets, cell: markCell((r) => [count(resets[r]), resets[r] ? 'warn' : '']) },
    { key: 'zero', label: 'zero win.', title: 'time in which a window was closed, since an end did not read', width: '76px', num: true, sort: zero, cell: markCell((r) => [zero[r] < 0 ? '' : duration(zero[r]), zero[r] >= 0 ? 'warn' : '']) },
    { key: 'connect', label: 'connect', title: 'the handshake (client) or the accept call (server)', width: '76px', num: true, sort: connect, cell: textCell((r) => duration(connect[r])) },
    { key: 'queued', label: 'queued', title: 'from the end of the handshake until it was accepted', width: '76px', num: true, sort: acceptWait, cell: textCell((r) => (acceptWait[r] < 0 ? '' : duration(acceptWait[r]))) },
  ];
  const errno = t.num('errno');
  const words = ['lossy', 'whole', 'joined', 'open', 'failed', 'troubled'];
  const peer = t.num('peer');
  const tests: Record<string, (r: number) => boolean> = {
    lossy: (r) => lost[r] > 0 || gaps[r] > 0,
    whole: (r) => !(lost[r] > 0 || gaps[r] > 0) && !!sawStart[r],
    joined: (r) => peer[r] !== 0,
    open: (r) => !sawEnd[r],
    failed: (r) => errno[r] !== 0,
    troubled: (r) => retrans[r] + dropped[r] + resets[r] > 0 || zero[r] >= 0,
  };
  const fields: Fields = {
    id: { kind: 'number', unit: 'count', values: ids, help: '' },
    pid: { kind: 'number', unit: 'count', values: pid, help: '' },
    edge: { kind: 'number', unit: 'count', values: t.num('edge'), unknown: -1, help: '' },
    exchanges: { kind: 'number', unit: 'count', values: exchanges, help: 'exchanges>100' },
    start: { kind: 'number', unit: 'time', values: start, help: '' },
    life: { kind: 'number', unit: 'time', values: life, help: 'life<10ms' },
    read: { kind: 'number', unit: 'bytes', values: read, help: 'read>1M' },
    written: { kind: 'number', unit: 'bytes', values: written, help: '' },
    lost: { kind: 'number', unit: 'bytes', values: lost, help: 'lost>0' },
    gaps: { kind: 'number', unit: 'count', values: gaps, help: '' },
    srtt: { kind: 'number', unit: 'time', values: srtt, unknown: -1, help: 'srtt>1ms' },
    retrans: { kind: 'number', unit: 'count', values: retrans, help: 'retrans>0' },
    dropped: { kind: 'number', unit: 'count', values: dropped, help: 'dropped>0' },
    resets: { kind: 'number', unit: 'count', values: resets, help: 'resets>0' },
    zero: { kind: 'number', unit: 'time', values: zero, unknown: -1, help: 'zero>10ms' },
    queued: { kind: 'number', unit: 'time', values: acceptWait, unknown: -1, help: 'queued>1ms' },
    close: { kind: 'number', unit: 'time', values: close, unknown: -1, help: '' },
    drop: { kind: 'text', values: drops, help: 'drop:NETFILTER' },
    process: { kind: 'text', values: process, help: 'process=nginx' },
    local: { kind: 'text', values: local, help: '' },
    remote: { kind: 'text', values: remote, help: 'remote:10.0.0.' },
    protocol: { kind: 'text', values: protocol, help: 'protocol=tls' },
    role: { kind: 'words', words: ['client', 'server', 'unknown'], test: (w) => (r) => roles[role[r]] === w, help: 'role=client' },
    is: { kind: 'words', words, test: (w) => tests[w], help: `is:${words.join(', is:')}` },
  };
  return new List(parent, {
    noun: 'connection', table: t, total: meta.connections, columns, order: 'id', fields,
    searched: [process, local, remote, protocol],
    examples: ['is:lossy', 'is:failed', 'is:troubled', 'retrans>0', 'is:open', 'role=client', 'role=server'],
    placeholder: 'Search: words, lost>0, srtt>1ms, remote:10.0.0., role=server',
    onSelect,
  });
}

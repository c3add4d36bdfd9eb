// Numbers as text, in the same form as package quantity on the Go side.

export function digits3(v: number): string {
  return v >= 99.95 ? v.toFixed(0) : v >= 9.995 ? v.toFixed(1) : v.toFixed(2);
}

// duration prints nanoseconds; negative is unknown.
export function duration(ns: number): string {
  if (ns < 0) return '?';
  if (ns === 0) return '0 s';
  if (ns < 1e3) return `${ns} ns`;
  if (ns < 999.5e3) return `${digits3(ns / 1e3)} µs`;
  if (ns < 999.5e6) return `${digits3(ns / 1e6)} ms`;
  if (ns < 119.5e9) return `${digits3(ns / 1e9)} s`;
  const s = Math.round(ns / 1e9);
  if (s < 7200) return `${Math.floor(s / 60)} min ${s % 60} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}

const units = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];

export function bytes(n: number): string {
  if (n < 1024) return `${n} B`;
  let u = -1;
  while (n >= 1023.5 && u < units.length - 1) {
    n /= 1024;
    u++;
  }
  return `${digits3(n)} ${units[u]}`;
}

export function count(n: number): string {
  return n.toLocaleString('en-US');
}

// of prints a count with its noun.
export function of(n: number, noun: string): string {
  return n === 1 ? `1 ${noun}` : `${count(n)} ${noun}s`;
}

// offset prints a time since the start of the page's data: seconds with microseconds.
export function offset(ns: number): string {
  return `${ns < 0 ? '−' : '+'}${(Math.abs(ns) / 1e9).toFixed(6)} s`;
}

// wall prints the wall time of an offset, in UTC with microseconds; base is nanoseconds since the epoch.
export function wall(base: string, ns: number): string {
  if (base === '') return 'unknown';
  const t = BigInt(base) + BigInt(Math.round(ns));
  const ms = Number(t / 1000000n);
  const micros = Number(t % 1000000n) / 1000;
  const iso = new Date(ms).toISOString();
  return `${iso.slice(0, 10)} ${iso.slice(11, 23)}${Math.floor(micros).toString().padStart(3, '0')} UTC`;
}

export function statusClass(status: number): string {
  return status >= 500 ? 'bad' : status >= 400 ? 'warn' : 'ok';
}

export const roles = ['unknown', 'client', 'server'];

// The search language of the tables: words that a row must contain, and conditions `field op value`, all of which must
// hold; a minus before one turns it round. What it cannot read it says.

import type { Text } from './blocks';

export type Unit = 'time' | 'bytes' | 'count';

export type Field =
  | { kind: 'number'; unit: Unit; values: Float64Array; unknown?: number; help: string }
  | { kind: 'text'; values: Text; help: string }
  | { kind: 'words'; words: string[]; test: (word: string) => (row: number) => boolean; help: string };

export type Fields = Record<string, Field>;

export interface Filter {
  test: (row: number) => boolean;
  problems: string[];
  empty: boolean;
}

type Test = (row: number) => boolean;

const condition = /^([a-z][a-z0-9]*)(>=|<=|!=|==|=|>|<|:)(.*)$/i;

export function compile(query: string, fields: Fields, searched: Text[]): Filter {
  const tests: Test[] = [];
  const problems: string[] = [];
  for (const token of tokens(query)) {
    const negated = token.length > 1 && token.startsWith('-');
    const body = negated ? token.slice(1) : token;
    let test: Test;
    const m = condition.exec(body);
    const field = m && Object.hasOwn(fields, m[1].toLowerCase()) ? fields[m[1].toLowerCase()] : undefined;
    if (m && field) {
      const made = condition1(m[1].toLowerCase(), field, m[2] === '==' ? '=' : m[2], unquote(m[3]));
      if (typeof made === 'string') {
        problems.push(made);
        continue;
      }
      test = made;
    } else {
      test = contains(searched, unquote(body));
    }
    tests.push(negated ? (row) => !test(row) : test);
  }
  return {
    empty: tests.length === 0,
    problems,
    test: (row) => {
      for (const t of tests) if (!t(row)) return false;
      return true;
    },
  };
}

// tokens splits at white space outside of double quotes.
export function tokens(query: string): string[] {
  return query.match(/(?:[^\s"]+|"[^"]*"?)+/g) ?? [];
}

function unquote(s: string): string {
  return s.replace(/"/g, '');
}

function contains(searched: Text[], word: string): Test {
  const needle = word.toLowerCase();
  const masks = searched.map((t) => ({ at: t.at, mask: t.matches((s) => s.includes(needle)) }));
  return (row) => {
    for (const m of masks) if (m.mask[m.at[row]]) return true;
    return false;
  };
}

// condition1 returns the test of one condition, or the sentence that says what is wrong with it.
function condition1(name: string, field: Field, op: string, value: string): Test | string {
  switch (field.kind) {
    case 'words': {
      const word = value.toLowerCase();
      if (!field.words.includes(word)) return `${name}: "${value}" is none of ${field.words.join(', ')}.`;
      const test = field.test(word);
      return op === '!=' ? (row) => !test(row) : test;
    }
    case 'text': {
      const needle = value.toLowerCase();
      const exact = op === '=' || op === '!=';
      if (!exact && op !== ':') return `${name} is text: use ${name}=… (equal), ${name}:… (contains) or ${name}!=….`;
      const mask = field.values.matches(exact ? (s) => s === needle : (s) => s.includes(needle));
      const at = field.values.at;
      return op === '!=' ? (row) => !mask[at[row]] : (row) => !!mask[at[row]];
    }
    case 'number': {
      const values = field.values;
      const unknown = field.unknown;
      const known = (test: Test): Test => (unknown === undefined ? test : (row) => values[row] !== unknown && test(row));
      const cls = /^([1-5])xx$/i.exec(value);
      if (cls && name === 'status') {
        const low = Number(cls[1]) * 100;
        const inside: Test = (row) => values[row] >= low && values[row] < low + 100;
        if (op === '=' || op === ':') return inside;
        if (op === '!=') return (row) => !inside(row);
        return 'status=5xx stands for 500 to 599: use = or !=.';
      }
      const n = parseQuantity(value, field.unit);
      if (n === undefined) return `${name}: "${value}" is no ${field.unit === 'time' ? 'time (100ms, 2.5s, 80us)' : field.unit === 'bytes' ? 'size (512, 4k, 1.5M)' : 'number'}.`;
      switch (op) {
        case '>': return known((row) => values[row] > n);
        case '>=': return known((row) => values[row] >= n);
        case '<': return known((row) => values[row] < n);
        case '<=': return known((row) => values[row] <= n);
        case '!=': return (row) => values[row] !== n;
        default: return known((row) => values[row] === n);
      }
    }
  }
}

const scales: Record<Unit, Record<string, number>> = {
  time: { '': 1e6, ns: 1, us: 1e3, 'µs': 1e3, ms: 1e6, s: 1e9, m: 60e9, min: 60e9 },
  bytes: { '': 1, b: 1, k: 1024, kb: 1024, kib: 1024, m: 1 << 20, mb: 1 << 20, mib: 1 << 20, g: 1 << 30, gb: 1 << 30, gib: 1 << 30 },
  count: { '': 1, k: 1e3, m: 1e6 },
};

// parseQuantity reads a number with its unit; a time without one is in milliseconds.
export function parseQuantity(s: string, unit: Unit): number | undefined {
  const m = /^(-?\d+(?:\.\d+)?|-?\.\d+)\s*([a-zµ]*)$/i.exec(s);
  if (!m) return undefined;
  const scale = scales[unit][m[2].toLowerCase()];
  return scale === undefined ? undefined : Number(m[1]) * scale;
}

// withRange returns query without the conditions on the named fields that compare by size, and with others at its end.
export function withRange(query: string, names: string[], added: string[]): string {
  const rest = tokens(query).filter((t) => {
    const m = condition.exec(t);
    return !(m && names.includes(m[1].toLowerCase()) && /[<>]/.test(m[2]));
  });
  return [...rest, ...added].join(' ');
}

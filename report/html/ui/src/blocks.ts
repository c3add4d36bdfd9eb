// Blocks: the page's data, as base64 of gzip of JSON in script elements that do not run. A block is decoded when a view
// first asks for it.

const loaded = new Map<string, Promise<unknown>>();

export function block<T>(name: string): Promise<T> {
  let value = loaded.get(name);
  if (!value) {
    value = decode(name);
    loaded.set(name, value);
  }
  return value as Promise<T>;
}

async function decode(name: string): Promise<unknown> {
  const holder = document.querySelector(`script[data-block="${name}"]`);
  if (!holder) throw new Error(`the page has no block ${name}: it is damaged`);
  const packed = new Blob([bytesOf(holder.textContent ?? '')]);
  holder.textContent = ''; // decoded once; the text need not stay in memory
  const stream = packed.stream().pipeThrough(new DecompressionStream('gzip'));
  return JSON.parse(await new Response(stream).text());
}

export function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  const binary = atob(base64);
  const out = new Uint8Array(binary.length);
  for (let i = 0; i < out.length; i++) out[i] = binary.charCodeAt(i);
  return out;
}

interface RawColumn {
  int?: number[];
  delta?: number[];
  dict?: string[];
  at?: number[];
}

export interface RawTable {
  rows: number;
  columns: Record<string, RawColumn>;
}

// Text is a column of strings: an index into a dictionary for each row.
export class Text {
  private lower: string[] | undefined;
  private order: Uint32Array | undefined;

  constructor(readonly dict: string[], readonly at: Uint32Array) {}

  get(row: number): string {
    return this.dict[this.at[row]];
  }

  // matches tells for each word of the dictionary whether it passes the test, so that a row costs one look-up. The test
  // gets the word in lower case.
  matches(test: (word: string) => boolean): Uint8Array {
    this.lower ??= this.dict.map((s) => s.toLowerCase());
    return Uint8Array.from(this.lower, (s) => (test(s) ? 1 : 0));
  }

  // ranks gives each word its place in the sorted dictionary.
  ranks(): Uint32Array {
    if (!this.order) {
      const sorted = Uint32Array.from(this.dict.keys()).sort((a, b) => (this.dict[a] < this.dict[b] ? -1 : this.dict[a] > this.dict[b] ? 1 : 0));
      this.order = new Uint32Array(sorted.length);
      sorted.forEach((word, rank) => (this.order![word] = rank));
    }
    return this.order;
  }
}

export class Table {
  private readonly numbers = new Map<string, Float64Array>();
  private readonly texts = new Map<string, Text>();
  readonly rows: number;

  constructor(raw: RawTable) {
    this.rows = raw.rows;
    for (const [name, c] of Object.entries(raw.columns)) {
      if (c.dict && c.at) this.texts.set(name, new Text(c.dict, Uint32Array.from(c.at)));
      else if (c.int) this.numbers.set(name, Float64Array.from(c.int));
      else if (c.delta) {
        const out = new Float64Array(c.delta.length);
        let v = 0;
        c.delta.forEach((d, i) => (out[i] = v += d));
        this.numbers.set(name, out);
      }
    }
  }

  num(name: string): Float64Array {
    const c = this.numbers.get(name);
    if (!c) throw new Error(`no number column ${name}`);
    return c;
  }

  text(name: string): Text {
    const c = this.texts.get(name);
    if (!c) throw new Error(`no text column ${name}`);
    return c;
  }

  // find returns the row whose ascending column `id` holds value, or -1.
  find(value: number): number {
    const ids = this.num('id');
    let low = 0;
    let high = ids.length;
    while (low < high) {
      const mid = (low + high) >> 1;
      if (ids[mid] < value) low = mid + 1;
      else high = mid;
    }
    return ids[low] === value ? low : -1;
  }
}

export interface Edge {
  client: string;
  server: string;
  port: number;
  protocol: string;
}

export interface Meta {
  version: number;
  base: string;
  edges: Edge[];
  lacks: string[];
  inferred: string;
  cuts: number;
  exchanges: number;
  connections: number;
  left: { exchanges: number; details: number; connections: number };
  detailsPerBlock: number;
  firings?: Firing[];
}

// Firing is when a trigger rule fired, in nanoseconds after time 0.
export interface Firing {
  at: number;
  name: string;
}

export interface Messages {
  first: number[];
  last: number[];
  version: string[];
  head: number[];
  body: number[];
  wire: number[];
  calls: number[];
  chunked: number[];
  headers: string[][];
  bytes: (string | null)[];
  bytesCut: number[];
}

export interface Details {
  request: Messages;
  response: Messages;
  interim: number[][];
  trace: string[][];
}

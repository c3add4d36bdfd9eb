// Chart: duration over time, one dot per exchange that the search finds, on a logarithmic scale. Dragging over it narrows
// the search to that time and duration; the table below has the same rows for those who cannot use it.

import { h, on } from './dom';
import type { Firing } from './blocks';
import { digits3, duration, statusClass } from './format';

const height = 150;
const left = 56;
const bottom = 18;
const top = 6;
const right = 10;
const histogram = 60; // width of the distribution at the right side

export class Chart {
  readonly element: HTMLElement;
  private readonly canvas = h('canvas', { role: 'img', 'aria-label': 'Duration of the exchanges over time; the table below has the same rows' });
  private readonly box = h('div', { class: 'brush', hidden: true });
  private rows: Uint32Array = new Uint32Array(0);
  private selected = -1;
  private t0 = 0;
  private t1 = 1;
  private d0 = 1e3;
  private d1 = 1e9;
  private drag: { x: number; y: number } | undefined;
  private frame = 0;

  constructor(
    private readonly start: Float64Array,
    private readonly dur: Float64Array,
    private readonly status: Float64Array,
    private readonly firings: Firing[],
    private readonly onRange: (conditions: string[]) => void,
  ) {
    this.element = h('div', { class: 'chart', title: 'Drag to narrow the search; double-click to widen it again' }, this.canvas, this.box);
    new ResizeObserver(() => this.schedule()).observe(this.element);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.schedule());
    on(this.canvas, 'pointerdown', (ev) => {
      if (ev.button !== 0) return;
      this.canvas.setPointerCapture(ev.pointerId);
      this.drag = { x: ev.offsetX, y: ev.offsetY };
    });
    on(this.canvas, 'pointermove', (ev) => this.drag && this.frameBox(this.drag.x, this.drag.y, ev.offsetX, ev.offsetY));
    on(this.canvas, 'pointerup', (ev) => this.drop(ev.offsetX, ev.offsetY));
    on(this.canvas, 'pointercancel', () => this.cancel());
    on(this.canvas, 'dblclick', () => this.onRange([]));
  }

  show(rows: Uint32Array): void {
    this.rows = rows;
    this.schedule();
  }

  select(row: number): void {
    this.selected = row;
    this.schedule();
  }

  private cancel(): void {
    this.drag = undefined;
    this.box.hidden = true;
  }

  private frameBox(x0: number, y0: number, x1: number, y1: number): void {
    this.box.hidden = false;
    Object.assign(this.box.style, {
      left: `${Math.min(x0, x1)}px`, top: `${Math.min(y0, y1)}px`, width: `${Math.abs(x1 - x0)}px`, height: `${Math.abs(y1 - y0)}px`,
    });
  }

  private drop(x: number, y: number): void {
    const from = this.drag;
    this.cancel();
    if (!from || (Math.abs(x - from.x) < 4 && Math.abs(y - from.y) < 4)) return;
    const conditions: string[] = [];
    if (Math.abs(x - from.x) >= 4) {
      const [a, b] = [this.timeAt(Math.min(x, from.x)), this.timeAt(Math.max(x, from.x))];
      conditions.push(`start>=${(a / 1e9).toFixed(6)}s`, `start<=${(b / 1e9).toFixed(6)}s`);
    }
    // A level drag means a time; only one that is also high means durations.
    if (Math.abs(y - from.y) >= 12) {
      const [a, b] = [this.durationAt(Math.max(y, from.y)), this.durationAt(Math.min(y, from.y))];
      conditions.push(`dur>=${plain(a)}`, `dur<=${plain(b)}`);
    }
    this.onRange(conditions);
  }

  private width(): number {
    return Math.max(50, this.element.clientWidth);
  }

  private plot(): number {
    return Math.max(20, this.width() - left - right - histogram);
  }

  private timeAt(x: number): number {
    return this.t0 + ((x - left) / this.plot()) * (this.t1 - this.t0);
  }

  private durationAt(y: number): number {
    const share = 1 - (y - top) / (height - top - bottom);
    return this.d0 * Math.pow(this.d1 / this.d0, share);
  }

  private xOf(t: number): number {
    return left + ((t - this.t0) / (this.t1 - this.t0)) * this.plot();
  }

  private yOf(d: number): number {
    return top + (1 - Math.log(Math.max(d, this.d0) / this.d0) / Math.log(this.d1 / this.d0)) * (height - top - bottom);
  }

  private schedule(): void {
    if (!this.frame) this.frame = requestAnimationFrame(() => this.draw());
  }

  private range(): boolean {
    let [t0, t1, d0, d1] = [Infinity, -Infinity, Infinity, 0];
    for (const r of this.rows) {
      if (this.dur[r] < 0) continue;
      t0 = Math.min(t0, this.start[r]);
      t1 = Math.max(t1, this.start[r]);
      d0 = Math.min(d0, Math.max(this.dur[r], 1e3));
      d1 = Math.max(d1, this.dur[r]);
    }
    if (t0 > t1) return false;
    [this.t0, this.t1] = [t0, Math.max(t1, t0 + 1e6)];
    this.d0 = d0 / 1.3;
    this.d1 = Math.max(d1 * 1.3, this.d0 * 10);
    return true;
  }

  private draw(): void {
    this.frame = 0;
    const ratio = window.devicePixelRatio || 1;
    const width = this.width();
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${height}px`;
    const c = this.canvas.getContext('2d');
    if (!c) return;
    c.scale(ratio, ratio);
    const css = getComputedStyle(this.element);
    const color = (name: string) => css.getPropertyValue(name).trim();
    c.font = `11px ${css.fontFamily}`;
    if (!this.range()) {
      c.fillStyle = color('--soft');
      c.fillText('No exchange with a known duration.', left, height / 2);
      return;
    }
    this.axes(c, color('--soft'), color('--line'));
    this.dots(c, { ok: color('--accent'), warn: color('--warn'), bad: color('--bad') });
    this.distribution(c, color('--accent'));
    this.marks(c, color('--text'));
    if (this.selected >= 0 && this.inRange(this.selected)) {
      c.strokeStyle = color('--text');
      c.lineWidth = 1.5;
      c.beginPath();
      c.arc(this.xOf(this.start[this.selected]), this.yOf(this.dur[this.selected]), 5, 0, 7);
      c.stroke();
    }
  }

  private inRange(r: number): boolean {
    return this.dur[r] >= this.d0 && this.dur[r] <= this.d1 && this.start[r] >= this.t0 && this.start[r] <= this.t1;
  }

  private axes(c: CanvasRenderingContext2D, soft: string, line: string): void {
    c.strokeStyle = line;
    c.fillStyle = soft;
    c.lineWidth = 1;
    c.textAlign = 'right';
    c.textBaseline = 'middle';
    const plotEnd = left + this.plot();
    for (let d = 1e3; d <= 1e12; d *= 10) {
      if (d < this.d0 || d > this.d1) continue;
      const y = Math.round(this.yOf(d)) + 0.5;
      c.beginPath();
      c.moveTo(left, y);
      c.lineTo(plotEnd, y);
      c.stroke();
      c.fillText(duration(d).replace(/\.0+ /, ' '), left - 6, y);
    }
    c.textAlign = 'center';
    c.textBaseline = 'alphabetic';
    const span = this.t1 - this.t0;
    const step = niceStep(span / Math.max(2, this.plot() / 110));
    const decimals = Math.max(0, Math.min(6, 9 - Math.floor(Math.log10(step))));
    for (let t = Math.ceil(this.t0 / step) * step; t <= this.t1; t += step) {
      c.fillText(`+${(t / 1e9).toFixed(decimals)} s`, this.xOf(t), height - 4);
    }
  }

  // marks draws a line where a trigger rule fired.
  private marks(c: CanvasRenderingContext2D, text: string): void {
    c.strokeStyle = c.fillStyle = text;
    c.lineWidth = 1;
    c.textAlign = 'left';
    c.setLineDash([3, 3]);
    let free = -Infinity; // where the names so far end
    for (const f of this.firings) {
      if (f.at < this.t0 || f.at > this.t1) continue;
      const x = Math.round(this.xOf(f.at)) + 0.5;
      c.beginPath();
      c.moveTo(x, top);
      c.lineTo(x, height - bottom);
      c.stroke();
      if (x < free) continue;
      c.fillText(f.name, x + 3, top + 10);
      free = x + 9 + c.measureText(f.name).width;
    }
    c.setLineDash([]);
  }

  // dots draws each pixel once: many exchanges look the same, and a failed one must not be hidden by those that are not.
  private dots(c: CanvasRenderingContext2D, colors: Record<string, string>): void {
    const width = this.width();
    for (const cls of ['ok', 'warn', 'bad']) {
      const seen = new Uint8Array(width * height);
      c.fillStyle = colors[cls];
      c.globalAlpha = cls === 'ok' ? 0.55 : 0.95;
      const size = cls === 'ok' ? 2 : 3;
      for (const r of this.rows) {
        if (this.dur[r] < 0 || statusClass(this.status[r]) !== cls) continue;
        const x = this.xOf(this.start[r]) | 0;
        const y = this.yOf(this.dur[r]) | 0;
        const at = y * width + x;
        if (seen[at]) continue;
        seen[at] = 1;
        c.fillRect(x - size / 2, y - size / 2, size, size);
      }
    }
    c.globalAlpha = 1;
  }

  private distribution(c: CanvasRenderingContext2D, accent: string): void {
    const bins = new Uint32Array(Math.ceil((height - top - bottom) / 4));
    for (const r of this.rows) {
      if (this.dur[r] < 0) continue;
      bins[Math.max(0, Math.min(bins.length - 1, Math.floor((this.yOf(this.dur[r]) - top) / 4)))]++;
    }
    const most = Math.max(1, ...bins);
    const x = left + this.plot() + 6;
    c.fillStyle = accent;
    c.globalAlpha = 0.45;
    bins.forEach((n, i) => n && c.fillRect(x, top + i * 4, Math.max(1, (n / most) * (histogram - 6)), 3));
    c.globalAlpha = 1;
  }
}

function niceStep(raw: number): number {
  const power = Math.pow(10, Math.floor(Math.log10(raw)));
  for (const m of [1, 2, 5, 10]) if (raw <= m * power) return m * power;
  return 10 * power;
}

// plain prints a duration as the search reads it.
function plain(ns: number): string {
  return ns < 1e6 ? `${digits3(ns / 1e3)}us` : ns < 1e9 ? `${digits3(ns / 1e6)}ms` : `${digits3(ns / 1e9)}s`;
}

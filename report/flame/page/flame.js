"use strict";
// The page of a flame graph. Data: JSON and varints (report/flame/html.go, pack). Everything of the profile is set as text.
// Redrawing costs what is visible, not what there is: of each level only the boxes of the window are looked at, those narrower than
// a pixel are stepped over by binary search, and a level is one row of pixels that is copied to the height of a box.
(async () => {
	const $ = (id) => document.getElementById(id);
	const ROW = 18; // CSS pixels
	const FONT = "12px ui-monospace, Menlo, Consolas, monospace";
	const CHAR = 7.2; // CSS pixels of a character, about
	const KIND = { group: 0, user: 1, library: 2, kernel: 3, jit: 4, unnamed: 5, note: 6 };
	const HUES = [[215, 14, 88], [24, 88, 68], [44, 86, 68], [205, 62, 72], [140, 46, 66], [220, 6, 78], [352, 60, 84]];

	const packed = Uint8Array.from(atob($("data").textContent), (c) => c.charCodeAt(0));
	const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
	const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
	const headLength = new DataView(bytes.buffer).getUint32(0, true);
	const meta = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + headLength)));
	const notes = new Map(meta.notes);

	/** A tree in the order in which parents come before their children: parallel arrays. */
	function newTree(n) {
		return { n, depth: new Int32Array(n), name: new Int32Array(n), parent: new Int32Array(n), self: { count: new Float64Array(n), time: new Float64Array(n) } };
	}

	function readTree() {
		const t = newTree(meta.nodes);
		let at = 4 + headLength;
		const varint = () => {
			let v = 0, scale = 1;
			for (;;) {
				const b = bytes[at++];
				v += (b & 127) * scale;
				if (b < 128) return v;
				scale *= 128;
			}
		};
		const last = [-1];
		for (let i = 0; i < t.n; i++) {
			const d = t.depth[i] = varint();
			t.name[i] = varint();
			t.self.count[i] = varint();
			t.self.time[i] = varint();
			t.parent[i] = d > 0 ? last[d - 1] : -1;
			last[d] = i;
		}
		return t;
	}

	/** What depends on the metric: totals, places from left to right, and the boxes of each level in that order. */
	function layOut(t, metric) {
		const self = t.self[metric];
		const total = Float64Array.from(self), x = new Float64Array(t.n), cursor = new Float64Array(t.n);
		for (let i = t.n - 1; i > 0; i--) total[t.parent[i]] += total[i];
		let deepest = 0;
		for (let i = 0; i < t.n; i++) {
			const p = t.parent[i];
			if (p >= 0) {
				x[i] = cursor[p];
				cursor[p] += total[i];
			}
			cursor[i] = x[i];
			deepest = Math.max(deepest, t.depth[i]);
		}
		const counts = new Int32Array(deepest + 1);
		for (let i = 0; i < t.n; i++) counts[t.depth[i]]++;
		const levels = Array.from(counts, (n) => new Int32Array(n));
		counts.fill(0);
		for (let i = 0; i < t.n; i++) levels[t.depth[i]][counts[t.depth[i]]++] = i;
		return Object.assign(t, { metric, total, x, levels });
	}

	/** The same stacks, merged from their innermost frames on. */
	function invert(t) {
		const names = meta.names.length, kids = new Map(), nodes = [{ name: 0, parent: -1, count: 0, time: 0, sum: 0, kids: [] }];
		for (let i = 1; i < t.n; i++) {
			const count = t.self.count[i], time = t.self.time[i];
			if (count === 0 && time === 0) continue;
			let at = 0;
			for (let j = i; j > 0; j = t.parent[j]) {
				const key = at * names + t.name[j];
				let next = kids.get(key);
				if (next === undefined) {
					next = nodes.length;
					kids.set(key, next);
					nodes.push({ name: t.name[j], parent: at, count: 0, time: 0, sum: 0, kids: [] });
					nodes[at].kids.push(next);
				}
				at = next;
				nodes[at].sum += t.metric === "time" ? time : count;
			}
			nodes[at].count += count;
			nodes[at].time += time;
		}
		const out = newTree(nodes.length), stack = [[0, -1, 0]];
		for (let i = 0; stack.length > 0; i++) {
			const [old, parent, depth] = stack.pop(), n = nodes[old];
			out.name[i] = n.name;
			out.parent[i] = parent;
			out.depth[i] = depth;
			out.self.count[i] = n.count;
			out.self.time[i] = n.time;
			n.kids.sort((a, b) => nodes[a].sum - nodes[b].sum || nodes[b].name - nodes[a].name);
			for (const k of n.kids) stack.push([k, i, depth + 1]);
		}
		return out;
	}

	const upright = layOut(readTree(), "time");
	const state = { tree: upright, zoom: 0, at: -1, hover: -1, down: false, inverted: false, match: null, sort: "self", rising: false };

	// ---- numbers ----
	const counted = (n, word) => n.toLocaleString("en") + " " + word + (n === 1 ? "" : "s");
	function duration(ns) {
		for (const [unit, size] of [["s", 1e9], ["ms", 1e6], ["µs", 1e3]]) if (ns >= size) return (ns / size).toPrecision(3) + " " + unit;
		return ns.toFixed(0) + " ns";
	}
	const value = (v) => state.tree.metric === "time" ? duration(v) : v.toLocaleString("en");
	/** A share with half the width of its 95 % interval: samples are drawn, and a share of them is not exact (binomial). */
	function share(part, all, samples) {
		if (all === 0) return "0 %";
		const p = part / all;
		const text = (100 * p).toFixed(p < 0.0995 ? 2 : 1) + " %";
		if (!meta.period || samples === 0) return text;
		return text + " ± " + (196 * Math.sqrt(p * (1 - p) / samples)).toFixed(1);
	}

	// ---- drawing ----
	const canvas = $("canvas"), scroll = $("scroll"), ctx = canvas.getContext("2d", { alpha: false });
	const colours = new Uint32Array(meta.names.length), faded = new Uint32Array(meta.names.length);
	const MATCH = abgr(296, 75, 62), EDGE = 0xffffffff, CHOSEN = abgr(212, 100, 34);
	function abgr(h, s, l) {
		s /= 100; l /= 100;
		const f = (n) => {
			const k = (n + h / 30) % 12;
			return Math.round(255 * (l - s * Math.min(l, 1 - l) * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
		};
		return (0xff000000 | f(4) << 16 | f(8) << 8 | f(0)) >>> 0;
	}
	for (let i = 0; i < meta.names.length; i++) {
		let hash = 0;
		for (const c of meta.names[i]) hash = (hash * 31 + c.codePointAt(0)) >>> 0;
		const [h, s, l] = HUES[meta.kinds[i]] || HUES[KIND.unnamed];
		const spread = meta.kinds[i] === KIND.group ? 0 : 1;
		colours[i] = abgr(h + spread * (hash % 17 - 8), s, l + spread * ((hash >> 5) % 9 - 4));
		faded[i] = abgr(h, s / 3, 90);
	}

	let width = 0, height = 0, ratio = 1, image = null, words = null;
	function resize() {
		ratio = window.devicePixelRatio || 1;
		width = Math.max(1, Math.floor(scroll.clientWidth * ratio));
		height = Math.max(1, Math.floor(scroll.clientHeight * ratio));
		canvas.width = width;
		canvas.height = height;
		canvas.style.width = scroll.clientWidth + "px";
		canvas.style.height = scroll.clientHeight + "px";
		image = ctx.createImageData(width, height);
		words = new Uint32Array(image.data.buffer);
		fit();
	}
	/** The scrolled height: the canvas is one window of it. */
	function fit() {
		$("space").style.height = Math.max(0, state.tree.levels.length * ROW - scroll.clientHeight) + "px";
	}
	const levels = () => state.tree.levels.length;
	/** The level at a distance from the top, and back. Unless it stands upside down, the graph grows from its foot. */
	const flipped = (level) => state.down ? level : levels() - 1 - level;

	/** The first box of a level that ends behind v. */
	function firstBehind(row, v, from) {
		const t = state.tree;
		let lo = from, hi = row.length;
		while (lo < hi) {
			const mid = (lo + hi) >> 1;
			if (t.x[row[mid]] + t.total[row[mid]] > v) hi = mid; else lo = mid + 1;
		}
		return lo;
	}

	function draw() {
		const t = state.tree, rowPixels = Math.round(ROW * ratio), top = scroll.scrollTop * ratio;
		const x0 = t.x[state.zoom], span = Math.max(t.total[state.zoom], 1e-9), scale = width / span;
		// With fewer levels than the window has room for, the graph stands on its foot.
		const slack = state.down ? 0 : Math.max(0, height - levels() * rowPixels);
		const labels = [];
		words.fill(0xffffffff);
		const first = Math.max(0, Math.floor((top - slack) / rowPixels)), last = Math.min(levels() - 1, Math.floor((top + height - slack) / rowPixels));
		for (let slot = first; slot <= last; slot++) {
			const y = Math.round(slot * rowPixels - top + slack), level = flipped(slot);
			const y0 = Math.max(0, y), y1 = Math.min(height, y + rowPixels - 1);
			if (y0 >= y1) continue;
			const base = y0 * width;
			const box = (i, a, b) => {
				const n = t.name[i];
				let colour = state.match ? (state.match[n] ? MATCH : faded[n]) : colours[n];
				if (i === state.at) colour = CHOSEN;
				words.fill(colour, base + a, base + b);
				if (b - a > 3) words[base + b - 1] = EDGE;
				if (b - a >= 24 * ratio) labels.push(i, a, b, y);
			};
			if (level <= t.depth[state.zoom]) {
				let i = state.zoom;
				while (t.depth[i] > level) i = t.parent[i];
				box(i, 0, width);
			} else {
				const row = t.levels[level];
				for (let k = firstBehind(row, x0, 0); k < row.length;) {
					const i = row[k], a = (t.x[i] - x0) * scale, b = a + t.total[i] * scale;
					if (a >= width) break;
					const from = Math.max(0, Math.floor(a)), to = Math.min(width, Math.max(from + 1, Math.floor(b)));
					box(i, from, to);
					k = b - a < 1 ? firstBehind(row, x0 + (from + 1) / scale, k + 1) : k + 1;
				}
			}
			for (let line = y0 + 1; line < y1; line++) words.copyWithin(line * width, base, base + width);
		}
		ctx.putImageData(image, 0, 0);
		ctx.font = FONT;
		ctx.textBaseline = "middle";
		ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
		for (let k = 0; k < labels.length; k += 4) {
			const i = labels[k], room = Math.floor(((labels[k + 2] - labels[k + 1]) / ratio - 6) / CHAR);
			let text = meta.names[t.name[i]];
			if (text.length > room) text = room > 2 ? text.slice(0, room - 1) + "…" : "";
			ctx.fillStyle = i === state.at ? "#fff" : "#1d2430";
			if (text) ctx.fillText(text, labels[k + 1] / ratio + 3, labels[k + 3] / ratio + ROW / 2);
		}
		ctx.setTransform(1, 0, 0, 1, 0, 0);
	}

	let asked = false;
	function redraw() {
		if (asked) return;
		asked = true;
		requestAnimationFrame(() => { asked = false; draw(); });
	}

	/** The box at a place of the window, in CSS pixels; -1 none. */
	function boxAt(px, py) {
		const t = state.tree, slack = state.down ? 0 : Math.max(0, scroll.clientHeight - levels() * ROW);
		const level = flipped(Math.floor((py + scroll.scrollTop - slack) / ROW));
		if (level < 0 || level >= levels() || py + scroll.scrollTop < slack) return -1;
		if (level <= t.depth[state.zoom]) {
			let i = state.zoom;
			while (t.depth[i] > level) i = t.parent[i];
			return i;
		}
		const v = t.x[state.zoom] + px / scroll.clientWidth * t.total[state.zoom];
		const row = t.levels[level], k = firstBehind(row, v, 0);
		return k < row.length && t.x[row[k]] <= v && v < t.x[state.zoom] + t.total[state.zoom] ? row[k] : -1;
	}

	// ---- what is said ----
	function samplesOf(i) { // own count and all below
		const t = state.tree;
		if (!t.counts) {
			t.counts = Float64Array.from(t.self.count);
			for (let j = t.n - 1; j > 0; j--) t.counts[t.parent[j]] += t.counts[j];
		}
		return t.counts[i];
	}
	function describe(i) {
		const t = state.tree, n = t.name[i], parts = [meta.names[n]];
		if (meta.of[n] >= 0) parts.push(meta.modules[meta.of[n]]);
		if (notes.has(n)) parts.push(notes.get(n));
		parts.push(value(t.total[i]) + " = " + share(t.total[i], t.total[0], samplesOf(0)) + " of all");
		if (state.zoom !== 0) parts.push(share(t.total[i], t.total[state.zoom], samplesOf(state.zoom)) + " of what is shown");
		parts.push("itself " + value(t.self[t.metric][i]));
		if (t.metric === "time") parts.push(counted(samplesOf(i), meta.period ? "sample" : "time"));
		return parts.join(" · ");
	}
	function stackOf(i) {
		const out = [];
		for (let j = i; j > 0; j = state.tree.parent[j]) out.push(meta.names[state.tree.name[j]]);
		return state.inverted ? out : out.reverse();
	}
	function say() {
		const i = state.hover >= 0 ? state.hover : state.at;
		if (i >= 0) $("detail").textContent = describe(i);
		$("path").textContent = state.zoom ? "shown: " + stackOf(state.zoom).join(" › ") : "";
	}

	// ---- acting ----
	function zoom(i) {
		state.zoom = i;
		reveal(i);
		matched();
		say();
		redraw();
	}
	/** Scrolls a box into the window. */
	function reveal(i) {
		const y = flipped(state.tree.depth[i]) * ROW;
		if (y < scroll.scrollTop) scroll.scrollTop = y;
		if (y + ROW > scroll.scrollTop + scroll.clientHeight) scroll.scrollTop = y + ROW - scroll.clientHeight;
	}
	function choose(i) {
		if (i < 0) return;
		state.at = i;
		state.hover = -1;
		const t = state.tree, z = state.zoom;
		if (t.x[i] < t.x[z] || t.x[i] + t.total[i] > t.x[z] + t.total[z]) zoom(0);
		reveal(i);
		say();
		redraw();
	}
	function foot() { scroll.scrollTop = state.down ? 0 : scroll.scrollHeight; }
	function setTree(t) {
		Object.assign(state, { tree: t, zoom: 0, at: -1, hover: -1 });
		fit();
		foot();
		matched();
		say();
		redraw();
		if (!$("list").hidden) list();
	}
	function remake() {
		const metric = $("metric").value;
		setTree(state.inverted ? layOut(invert(layOut(upright, metric)), metric) : layOut(upright, metric));
	}

	/** The regular expression over names: each once, however often it is in the graph. */
	function search(text) {
		const box = $("search");
		box.classList.remove("bad");
		state.match = null;
		if (text) {
			try {
				const re = new RegExp(text, text === text.toLowerCase() ? "i" : "");
				state.match = Uint8Array.from(meta.names, (n) => re.test(n) ? 1 : 0);
			} catch {
				box.classList.add("bad");
			}
		}
		matched();
		redraw();
		if (!$("list").hidden) list();
	}
	/** The share of what is shown that has a match in its stack; nested matches count once. */
	function matched() {
		if (!state.match) {
			$("matched").textContent = "";
			return null;
		}
		const t = state.tree;
		let sum = 0, inside = -1, end = state.zoom;
		while (++end < t.n && t.depth[end] > t.depth[state.zoom]);
		let boxes = 0;
		for (let i = state.zoom; i >= 0; i = t.parent[i]) if (state.match[t.name[i]]) sum = t.total[state.zoom];
		const whole = sum > 0;
		for (let i = state.zoom; i < end; i++) {
			if (state.match[t.name[i]]) boxes++;
			if (inside >= 0 && t.depth[i] > inside) continue;
			inside = -1;
			if (state.match[t.name[i]]) {
				inside = t.depth[i];
				if (!whole) sum += t.total[i];
			}
		}
		$("matched").textContent = share(sum, t.total[state.zoom], samplesOf(state.zoom)) + " matched, " + counted(boxes, "frame");
		return sum / t.total[state.zoom];
	}

	/** Functions by their own time, and by that of all that they called: recursion counts once. */
	function functions() {
		const t = state.tree, self = new Float64Array(meta.names.length), total = new Float64Array(meta.names.length), open = new Int32Array(meta.names.length);
		const chain = [];
		for (let i = 0; i < t.n; i++) {
			while (chain.length > t.depth[i]) open[chain.pop()]--;
			const n = t.name[i];
			self[n] += state.inverted ? 0 : t.self[t.metric][i];
			if (state.inverted && t.depth[i] === 1) self[n] += t.total[i];
			if (open[n]++ === 0) total[n] += t.total[i];
			chain.push(n);
		}
		return { self, total };
	}
	const MOST = 1000;
	function list() {
		const { self, total } = functions();
		let order = [];
		for (let n = 0; n < meta.names.length; n++) {
			if (meta.kinds[n] !== KIND.group && total[n] > 0 && (!state.match || state.match[n])) order.push(n);
		}
		const module = (n) => meta.of[n] >= 0 ? meta.modules[meta.of[n]] : "";
		const by = {
			self: (a, b) => self[b] - self[a] || total[b] - total[a], total: (a, b) => total[b] - total[a] || self[b] - self[a],
			name: (a, b) => meta.names[a] < meta.names[b] ? -1 : 1, module: (a, b) => module(a) < module(b) ? -1 : module(a) > module(b) ? 1 : self[b] - self[a],
		}[state.sort];
		order.sort((a, b) => by(a, b) || a - b);
		if (state.rising) order.reverse();
		$("more").textContent = order.length > MOST ? `${counted(order.length - MOST, "function")} more: search for them` : "";
		order = order.slice(0, MOST);
		const all = state.tree.total[0], samples = samplesOf(0);
		$("rows").replaceChildren(...order.map((n) => {
			const row = document.createElement("tr");
			for (const [text, number] of [[value(self[n]) + "  " + share(self[n], all, samples), 1], [value(total[n]) + "  " + share(total[n], all, samples), 1], [meta.names[n], 0], [module(n), 0]]) {
				const cell = document.createElement("td");
				cell.textContent = text;
				if (number) cell.className = "number";
				row.append(cell);
			}
			row.addEventListener("click", () => {
				$("search").value = "^" + meta.names[n].replace(/[.*+?^${}()|[\]\\]/g, "\\$&") + "$";
				toggleList(false);
				search($("search").value);
			});
			return row;
		}));
		for (const th of document.querySelectorAll("th")) {
			if (th.dataset.by === state.sort) th.setAttribute("aria-sort", state.rising ? "ascending" : "descending"); else th.removeAttribute("aria-sort");
		}
	}
	function press(id, on) { $(id).setAttribute("aria-pressed", String(on)); }
	function toggleList(on) {
		$("list").hidden = !on;
		scroll.hidden = on;
		press("table", on);
		if (on) list(); else { resize(); draw(); scroll.focus(); }
	}
	function toggleInvert() {
		state.inverted = !state.inverted;
		press("invert", state.inverted);
		remake();
	}
	function toggleFlip() {
		state.down = !state.down;
		press("flip", state.down);
		foot();
		redraw();
	}
	async function copy() {
		const i = state.at >= 0 ? state.at : state.hover >= 0 ? state.hover : state.zoom;
		const text = stackOf(i).join(";") + " " + (state.tree.metric === "time" ? Math.round(state.tree.total[i]) : state.tree.total[i]);
		let done = false;
		try {
			await navigator.clipboard.writeText(text);
			done = true;
		} catch {
			const area = document.createElement("textarea"); // a page of a file may have no clipboard
			area.value = text;
			document.body.append(area);
			area.select();
			done = document.execCommand("copy");
			area.remove();
		}
		$("detail").textContent = done ? "copied: " + text : text;
		return text;
	}
	function reset() {
		if ($("search").value) {
			$("search").value = "";
			search("");
		} else if (state.zoom !== 0) {
			zoom(0);
		}
		state.at = -1;
		say();
		redraw();
	}

	/** Moves the choice: to the box above, below, or beside. */
	function move(dx, dy) {
		const t = state.tree;
		if (state.at < 0) return choose(state.zoom);
		if (dy < 0) return choose(t.parent[state.at]);
		const row = t.levels[t.depth[state.at] + dy];
		if (!row) return;
		if (dy > 0) {
			const k = firstBehind(row, t.x[state.at], 0);
			return choose(k < row.length && t.parent[row[k]] === state.at ? row[k] : -1);
		}
		const k = row.indexOf(state.at) + dx;
		if (k >= 0 && k < row.length) choose(row[k]);
	}

	// ---- events ----
	canvas.addEventListener("mousemove", (e) => {
		const i = boxAt(e.offsetX, e.offsetY);
		if (i === state.hover) return;
		state.hover = i;
		canvas.title = i >= 0 ? meta.names[state.tree.name[i]] : "";
		say();
	});
	canvas.addEventListener("mouseleave", () => { state.hover = -1; say(); });
	canvas.addEventListener("click", (e) => {
		const i = boxAt(e.offsetX, e.offsetY);
		scroll.focus({ preventScroll: true });
		if (i < 0) return;
		state.at = i;
		zoom(i);
	});
	scroll.addEventListener("scroll", redraw);
	new ResizeObserver(() => { if (!scroll.hidden) { resize(); draw(); } }).observe(scroll);
	$("search").addEventListener("input", (e) => search(e.target.value));
	$("metric").addEventListener("change", remake);
	$("flip").addEventListener("click", toggleFlip);
	$("invert").addEventListener("click", toggleInvert);
	$("table").addEventListener("click", () => toggleList($("list").hidden));
	$("copy").addEventListener("click", copy);
	$("reset").addEventListener("click", reset);
	for (const th of document.querySelectorAll("th")) {
		th.addEventListener("click", () => {
			state.rising = state.sort === th.dataset.by ? !state.rising : false;
			state.sort = th.dataset.by;
			list();
		});
	}
	document.addEventListener("keydown", (e) => {
		if (e.ctrlKey || e.metaKey || e.altKey) return;
		if (e.target === $("search")) {
			if (e.key === "Escape") { reset(); scroll.focus(); }
			if (e.key === "Enter") scroll.focus();
			return;
		}
		const up = state.down ? -1 : 1;
		const act = {
			"/": () => $("search").focus(), i: toggleInvert, f: toggleFlip, t: () => toggleList($("list").hidden), c: copy, Escape: reset,
			Enter: () => state.at >= 0 && zoom(state.at), ArrowUp: () => move(0, up), ArrowDown: () => move(0, -up), ArrowLeft: () => move(-1, 0), ArrowRight: () => move(1, 0),
		}[e.key];
		if (!act || e.target.tagName === "SELECT") return;
		e.preventDefault();
		act();
	});

	// ---- begin ----
	document.title = meta.title;
	$("title").textContent = meta.title;
	const about = [meta.host, meta.start, meta.seconds ? meta.seconds.toFixed(1) + " s" : "", counted(samplesOf(0), meta.period ? "sample" : "block") + " = " + duration(upright.total[0])];
	if (meta.stacks.all > 0) about.push((100 * meta.stacks.whole / meta.stacks.all).toFixed(1) + " % of user stacks whole");
	about.push(meta.tool);
	$("about").textContent = about.filter(Boolean).join(" · ");
	$("metric").hidden = meta.period > 0;
	resize();
	foot();
	draw();
	scroll.focus();
	window.flame = { state, draw, zoom, search, matched, invert: toggleInvert, flip: toggleFlip, table: toggleList, copy, meta };
	document.documentElement.dataset.ready = "yes";
})();

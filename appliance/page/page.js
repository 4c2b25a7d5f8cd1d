// SPDX-License-Identifier: GPL-2.0-only
"use strict";

const KEEP_S = 900, LINES = 8, QUIET_MS = 4000;
const $ = (id) => document.getElementById(id);
const series = new Map(); // "peer/path" -> [[t, rtt, out, in]]; rtt null: dead
const bytes = new Map(); // peer -> [[t, rx, tx]]
const peerParts = new Map(); // peer -> elements that stay
let view = null, span_s = KEEP_S, heard_ms = 0, gone = false, newest = null;

// ---- text ----

const count = (n) => Number(n).toLocaleString("en");
const ms = (x) => x == null ? "–" : x < 10 ? x.toFixed(2) + " ms" : x < 100 ? x.toFixed(1) + " ms" : Math.round(x) + " ms";
const percent = (x) => x == null ? "–" : x === 0 ? "0 %" : x < 10 ? x.toFixed(1) + " %" : Math.round(x) + " %";
const words = (name) => name.replaceAll("_", " ");

function bits(x) {
	if (x == null)
		return "–";
	for (const [unit, size] of [["Gbit/s", 1e9], ["Mbit/s", 1e6], ["kbit/s", 1e3]])
		if (x >= size)
			return (x / size).toFixed(x / size < 10 ? 1 : 0) + " " + unit;
	return Math.round(x) + " bit/s";
}

function size(x) {
	for (const [unit, size] of [["TB", 1e12], ["GB", 1e9], ["MB", 1e6], ["kB", 1e3]])
		if (x >= size)
			return (x / size).toFixed(x / size < 10 ? 2 : x / size < 100 ? 1 : 0) + " " + unit;
	return (x || 0) + " B";
}

function age(s) {
	if (s == null)
		return "–";
	for (const [unit, size] of [["d", 86400], ["h", 3600], ["min", 60]])
		if (s >= 2 * size)
			return Math.floor(s / size) + " " + unit;
	return Math.max(0, Math.floor(s)) + " s";
}

// ---- elements ----

function fill(element, attributes, children) {
	for (const [name, value] of Object.entries(attributes || {}))
		if (value != null && value !== false)
			element.setAttribute(name, value);
	element.append(...children.filter((child) => child != null));
	return element;
}
const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const g = (tag, attributes, ...children) => fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

// What did not change is left alone: whoever reads or selects it is not disturbed.
function put(element, ...children) {
	const fresh = element.cloneNode(false);
	fresh.append(...children.filter((child) => child != null));
	if (fresh.innerHTML !== element.innerHTML)
		element.replaceChildren(...fresh.childNodes);
}
function say(element, text) {
	if (element.textContent !== text)
		element.textContent = text;
}

// ---- what is known ----

const color = (number) => `var(--s${number % LINES})`;
const wayOf = (path) => `${path.local} → ${path.remote}${path.relay ? " via " + path.relay : ""}`;
const usedOf = (peer) => peer && peer.path != null ? peer.paths.find((path) => path.path === peer.path) : null;
const peerOf = (name) => view.peers.find((peer) => peer.peer === name);
const tunnelOf = (name) => view.tunnels.find((tunnel) => tunnel.peer === name);

function remember(t, paths, peers) {
	for (const [map, news] of [[series, paths], [bytes, peers]])
		for (const [key, value] of Object.entries(news)) {
			if (!map.has(key))
				map.set(key, []);
			const list = map.get(key);
			list.push([t, ...(value || [null, null, null])]);
			while (list[0][0] < t - KEEP_S)
				list.shift();
		}
	for (const map of [series, bytes])
		for (const [key, list] of map)
			if (list[list.length - 1][0] < t - KEEP_S)
				map.delete(key);
}

// Bits a second between each two samples: [[t, in, out]].
function rates(peer) {
	const list = bytes.get(peer) || [], result = [];
	for (let i = 1; i < list.length; i++) {
		const dt = list[i][0] - list[i - 1][0], rx = list[i][1] - list[i - 1][1], tx = list[i][2] - list[i - 1][2];
		if (dt > 0.2 && rx >= 0 && tx >= 0)
			result.push([list[i][0], rx * 8 / dt, tx * 8 / dt]);
	}
	return result;
}

// ---- header, problems, tiles ----

function drawHeader() {
	say($("node"), `${view.node}${view.site ? " · site " + view.site : ""}`);
	say($("role"), view.role);
	$("role").className = "badge " + view.role;
	document.title = `${view.problems.length ? "⚠ " : ""}${view.node} ${view.role} – Netpas`;
	const n = view.problems.length;
	$("problems").className = "banner " + (n ? "bad" : "good");
	say($("problems-title"), n ? `${n} problem${n > 1 ? "s" : ""}` : "No problems");
	put($("problem-list"), ...view.problems.map((text) => h("li", {}, text)));
	say($("footer"), `${view.node}, mesh ${view.mesh.name}, netpas ${view.version}, engine ${view.engine}, configuration ${view.config.digest} loaded ${view.config.loaded}`);
}

// The gateway of the own site that is active, as far as it is known here.
function activeHere() {
	if (view.role === "active")
		return view.node;
	return view.partner && view.partner.role === "active" ? view.partner.name : null;
}

function tile(title, value, more) {
	return h("div", {}, h("dt", {}, title), h("dd", {}, value), h("dd", {}, more));
}

function drawTiles() {
	const tiles = [];
	if (view.role !== "relay")
		tiles.push(tile(`Active in ${view.site}`, activeHere() || "none known",
			`generation ${view.generation}${view.partner ? `, partner ${view.partner.alive ? "alive" : "not heard"}` : ", no partner"}`));
	for (const site of (view.sites || []).slice(0, 4)) {
		const peer = peerOf(site.gateway), path = usedOf(peer);
		tiles.push(tile(`Site ${site.name}, by ${site.gateway || "nobody"}`, path ? ms(path.p50) : "no path",
			path ? `${path.relay ? "via " + path.relay : "direct"}, loss ${percent(path.out)} out, ${percent(path.in)} in` : site.reason));
	}
	let rx = 0, tx = 0, known = false;
	for (const peer of bytes.keys()) {
		const last = rates(peer).pop();
		if (last) {
			rx += last[1];
			tx += last[2];
			known = true;
		}
	}
	if (view.role !== "relay")
		tiles.push(tile("Tunnels now", known ? bits(rx + tx) : "–", known ? `${bits(rx)} in, ${bits(tx)} out, probes not counted` : "measuring"));
	put($("tiles"), ...tiles);
}

// ---- topology ----

// Sites, relays and ways are placed by (u, v): along and across the way from here to the others.
function drawTopology() {
	const svg = $("topology"), upright = svg.parentNode.clientWidth < 640;
	const own = view.mesh.sites.find((site) => site.name === view.site) || { name: "this relay", gateways: [view.node], relay: true };
	const others = view.mesh.sites.filter((site) => site !== own);
	const relays = view.mesh.relays.filter((name) => name !== view.node);
	const boxW = upright ? 116 : 150, boxH = 46, gap = 14, pad = 12;
	const spanOf = (site) => upright ? site.gateways.length * (boxW + gap) - gap + 2 * pad : site.gateways.length * (boxH + gap) - gap + 2 * pad + 20;
	const total = (sites) => sites.reduce((sum, site) => sum + spanOf(site) + gap, -gap);
	const across = Math.max(spanOf(own), total(others), upright ? 330 : Math.max(180, (relays.length + 1) * 62));
	const along = upright ? 500 : 940, nodes = new Map(), grounds = [], boxes = [];
	const place = (u, v) => upright ? [v, u] : [u, v];

	const addSite = (site, u, v, left) => {
		const w = upright ? spanOf(site) : boxW + 2 * pad, height = upright ? boxH + 2 * pad + 20 : spanOf(site);
		const [x, y] = place(u, v);
		grounds.push(g("rect", { class: "site", x, y, width: w, height, rx: 12 }),
			g("text", { class: "title", x: x + pad, y: y + 20 }, site.relay ? site.name : "site " + site.name));
		site.gateways.forEach((name, i) => {
			const gx = x + pad + (upright ? i * (boxW + gap) : 0), gy = y + pad + 16 + (upright ? 0 : i * (boxH + gap));
			nodes.set(name, upright ? [gx + boxW / 2, gy + (left ? boxH : 0)] : [gx + (left ? boxW : 0), gy + boxH / 2]);
			addGateway(name, gx, gy);
		});
	};
	const addGateway = (name, x, y) => {
		const tunnel = tunnelOf(name), self = name === view.node, partner = view.partner && view.partner.name === name;
		const known = self ? { role: view.role, alive: true } : partner ? view.partner : tunnel;
		const role = known ? known.alive ? known.role : "not heard" : "not known";
		boxes.push(g("g", { "data-gateway": name, "data-role": role },
			g("rect", { class: "box" + (role === "active" ? " active" : "") + (known && !known.alive ? " gone" : ""), x, y, width: boxW, height: boxH, rx: 8 }),
			g("text", { class: "name", x: x + 10, y: y + 19 }, name + (self ? " (here)" : "")),
			g("text", { class: role === "active" ? "ok" : role === "not heard" ? "bad" : "soft", x: x + 10, y: y + 36 }, (role === "active" ? "● " : role === "standby" ? "○ " : "") + role)));
	};

	addSite(own, 8, (across - spanOf(own)) / 2 + 8, true);
	let v = (across - total(others)) / 2 + 8;
	for (const site of others) {
		addSite(site, along - (upright ? boxH + 2 * pad + 20 : boxW + 2 * pad) - 8, v, false);
		v += spanOf(site) + gap;
	}
	const slots = relays.length + 1, directAt = Math.floor((slots - 1) / 2), slot = (i) => 8 + across * (i + 0.5) / slots;
	relays.forEach((name, i) => {
		const [x, y] = place(along / 2, slot(i < directAt ? i : i + 1));
		nodes.set(name, [x, y]);
		boxes.push(g("rect", { class: "pop", x: x - 42, y: y - 17, width: 84, height: 34, rx: 17 }),
			g("text", { class: "name", x, y: y + 4.5, "text-anchor": "middle" }, name));
	});
	const middle = slot(directAt);

	const lines = [], tags = [];
	for (const peer of view.peers) {
		const from = nodes.get(view.node), to = nodes.get(peer.peer);
		if (!from || !to)
			continue;
		const site = (view.sites || []).find((s) => s.gateway === peer.peer), direct = peer.paths.filter((path) => !path.relay);
		for (const path of peer.paths) {
			const used = path.path === peer.path, second = path.path === peer.second && peer.class === "protected";
			const i = direct.indexOf(path), bend = i >= 0 ? middle + (i - (direct.length - 1) / 2) * 13 : 0;
			const via = path.relay ? nodes.get(path.relay) : place(along / 2, bend);
			if (!via)
				continue;
			// Several paths by a relay lie side by side.
			const same = peer.paths.filter((other) => other.relay === path.relay), aside = path.relay ? (same.indexOf(path) - (same.length - 1) / 2) * 6 : 0;
			const d = curve(from, [via[0] + (upright ? aside : 0), via[1] + (upright ? 0 : aside)], to, upright);
			const kind = `way ${path.state}${used ? " used" : ""}${used && !site ? " spare" : ""}${second ? " second" : ""}`;
			lines.push([used ? 2 : second ? 1 : 0, g("path", { class: kind, d, "data-peer": peer.peer, "data-path": path.path, "data-state": path.state }), !path.relay]);
			if (!used || !site)
				continue;
			if (view.role === "active" && path.alive)
				lines.push([3, g("path", { class: "flow", d })]);
			const text = `${ms(path.p50)}, ${percent(Math.max(path.out || 0, path.in || 0))} lost`;
			const [x, y] = upright ? [(via[0] + to[0]) / 2, (via[1] + to[1]) / 2] : [(via[0] + to[0]) / 2 + 14, (via[1] + to[1]) / 2];
			const w = text.length * 6.9 + 14;
			tags.push(g("rect", { class: "tag", x: x - w / 2, y: y - 12, width: w, height: 24, rx: 12 }), g("text", { x, y: y + 4.5, "text-anchor": "middle" }, text));
		}
	}
	lines.sort((a, b) => a[0] - b[0]);
	if (lines.some((line) => line[2]) && relays.length) {
		const [x, y] = place(along / 2, middle - 26);
		tags.push(g("text", { class: "soft", x, y, "text-anchor": "middle" }, "direct"));
	}
	const [width, height] = upright ? [across + 16, along] : [along, across + 16];
	svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
	put(svg, ...grounds, ...lines.map((line) => line[1]), ...boxes, ...tags);
	say($("topology-text"), view.peers.map((peer) => {
		const path = usedOf(peer);
		return `${peer.peer}: ${path ? `path ${wayOf(path)}, ${path.state}, round trip ${ms(path.p50)}` : "no path"}, ${peer.paths.filter((p) => p.alive).length} of ${peer.paths.length} paths alive.`;
	}).join(" "));
}

function curve(a, via, b, upright) {
	const half = (p, q) => upright ? `C ${p[0]} ${(p[1] + q[1]) / 2} ${q[0]} ${(p[1] + q[1]) / 2} ${q[0]} ${q[1]}` : `C ${(p[0] + q[0]) / 2} ${p[1]} ${(p[0] + q[0]) / 2} ${q[1]} ${q[0]} ${q[1]}`;
	return `M ${a[0]} ${a[1]} ${half(a, via)} ${half(via, b)}`.replace(/(\.\d)\d+/g, "$1");
}

// ---- charts ----

const ago = (s) => s >= 7200 ? Math.round(s / 3600) + " h" : s < 120 ? Math.round(s) + " s" : (s / 60).toFixed(s % 60 < 3 || s % 60 > 57 ? 0 : 1) + " min";

function nice(max) {
	const power = 10 ** Math.floor(Math.log10(max));
	return [1, 2, 2.5, 5, 10].map((step) => step * power).find((top) => top >= max);
}

// lines: [{points: [[t, y]], color, used, area, dashed}]; y null is a gap. time: {now, span}, else that of the charts of paths.
function drawChart(svg, lines, format, floor, ceiling = Infinity, time = null) {
	const span = time ? time.span : Math.min(span_s, Math.max(60, view.t - Math.min(...lines.map((line) => line.points.length ? line.points[0][0] : view.t))));
	const width = Math.max(240, svg.clientWidth), height = 150, left = 72, bottom = 20, top = 8, now = time ? time.now : view.t, parts = [];
	let max = floor;
	for (const line of lines)
		for (const [t, y] of line.points)
			if (t >= now - span && y > max)
				max = y;
	max = Math.min(nice(max * 1.02), ceiling);
	const x = (t) => left + (width - left - 6) * (1 - (now - t) / span), y = (value) => top + (height - top - bottom) * (1 - value / max);
	for (const share of [0, 0.5, 1])
		parts.push(g("line", { class: "grid", x1: left, x2: width - 6, y1: y(max * share), y2: y(max * share) }),
			g("text", { x: left - 7, y: y(max * share) + 4, "text-anchor": "end" }, share ? format(max * share) : "0"));
	for (const share of [0, 0.5, 1])
		parts.push(g("text", { x: x(now - span * (1 - share)), y: height - 4, "text-anchor": share === 1 ? "end" : share ? "middle" : "start" },
			share === 1 ? "now" : "−" + ago(span * (1 - share))));
	for (const line of lines) {
		let d = "", pen = false, first = null, last = null;
		for (const [t, value] of line.points) {
			if (t < now - span)
				continue;
			if (value == null) {
				pen = false;
				continue;
			}
			d += `${pen ? "L" : "M"}${x(t).toFixed(1)} ${y(value).toFixed(1)}`;
			first = first == null ? t : first;
			last = t;
			pen = true;
		}
		if (line.area && first != null)
			parts.push(g("path", { class: "area", d: `${d}L${x(last).toFixed(1)} ${y(0)}L${x(first).toFixed(1)} ${y(0)}Z`, fill: line.color }));
		parts.push(g("path", { class: line.used ? "used" : line.dashed ? "dashed" : null, d, stroke: line.color }));
	}
	svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
	svg.replaceChildren(...parts);
}

// ---- paths ----

function partsOf(name) {
	if (!peerParts.has(name)) {
		const chart = (title) => {
			const svg = g("svg", { class: "chart", role: "img", "aria-label": `${title} of ${name}` });
			const caption = h("figcaption", {}, title);
			return { svg, caption, figure: h("figure", {}, caption, svg) };
		};
		const made = { title: h("h3", {}, name), text: h("p"), rtt: chart("Round trip"), loss: chart("Loss"), rate: chart("Tunnel"), body: h("tbody") };
		const head = h("tr", {}, ...["Path", "State"].map((text) => h("th", { scope: "col" }, text)),
			...["Round trip", "99th", "Jitter", "Lost out", "Lost in", "Carries"].map((text) => h("th", { scope: "col", class: "n" }, text)));
		made.card = h("article", { class: "card peer" }, h("div", { class: "head" }, made.title, made.text),
			h("div", { class: "charts" }, made.rtt.figure, made.loss.figure, made.rate.figure),
			h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Paths to " + name },
				h("table", {}, h("caption", { class: "unseen" }, "Paths to " + name + ", over the last minute"), h("thead", {}, head), made.body)));
		peerParts.set(name, made);
	}
	return peerParts.get(name);
}

function drawPeer(peer) {
	const made = partsOf(peer.peer), used = usedOf(peer), tunnel = tunnelOf(peer.peer);
	const ordered = [...peer.paths].sort((a, b) => (a.order || 99) - (b.order || 99) || a.path - b.path);
	const lineOf = (column) => peer.paths.map((path) => ({
		points: (series.get(`${peer.peer}/${path.path}`) || []).map((sample) => [sample[0], column(sample)]),
		color: color(path.path), used: path === used }));
	say(made.text, `${tunnel ? tunnel.alive ? tunnel.role + ", " : "not heard, " : ""}class ${peer.class}, ${used ? `by ${used.relay ? used.relay : "the direct path"} for ${age(peer.since_s)}: ${peer.reason}` : peer.reason}${tunnel ? `, MTU ${tunnel.mtu}` : ""}`);
	drawChart(made.rtt.svg, lineOf((sample) => sample[1]), ms, 1);
	// A path that has not been alive yet has lost nothing.
	const loss = lineOf((sample) => sample[1] == null ? 100 : Math.max(sample[2] || 0, sample[3] || 0));
	for (const line of loss)
		line.points.splice(0, Math.max(0, line.points.findIndex((point) => point[1] < 100)));
	drawChart(made.loss.svg, loss, percent, 1, 100);
	const flow = rates(peer.peer), last = flow[flow.length - 1];
	say(made.rate.caption, last ? `Tunnel: ${bits(last[1])} in, ${bits(last[2])} out` : "Tunnel");
	drawChart(made.rate.svg, [{ points: flow.map((r) => [r[0], r[1]]), color: "var(--s2)", used: true, area: true }, { points: flow.map((r) => [r[0], r[2]]), color: "var(--s0)", used: true }], bits, 1000);
	put(made.body, ...ordered.map((path) => {
		const swatch = h("i", { class: "swatch", "data-color": path.path % LINES, "aria-hidden": "true" });
		const mark = path === used ? "in use" : path.path === peer.second && peer.class === "protected" ? "copy" : "";
		return h("tr", { class: path === used ? "used" : null, "data-peer": peer.peer, "data-path": path.path, "data-state": path.state },
			h("td", { class: "way" }, swatch, h("span", { class: "mono" }, wayOf(path)), mark ? h("span", { class: "good" }, " " + mark) : null),
			h("td", { class: "state " + path.state, title: path.why }, path.state),
			...[ms(path.p50), ms(path.p99), ms(path.jitter), percent(path.out), percent(path.in), path.payload ? count(path.payload) + " B" : "–"].map((text) => h("td", { class: "n" }, text)));
	}));
	for (const swatch of made.body.querySelectorAll("[data-color]"))
		swatch.style.background = color(swatch.dataset.color);
	return made.card;
}

function drawPeers() {
	const cards = view.peers.map(drawPeer);
	if (cards.length !== $("peers").children.length || cards.some((card, i) => $("peers").children[i] !== card))
		$("peers").replaceChildren(...(cards.length ? cards : [h("p", { class: "card none" }, "No paths are probed here.")]));
}

// ---- the rest ----

const WELL = ["active", "agreed", "alive", "done", "free", "good", "ok", "running", "same", "up"], ILL = ["brown-out", "dead", "down", "fault", "held", "half-way", "not agreed", "other"];

function toneOf(event) {
	if (event.level === "error")
		return "bad";
	return ILL.includes(event.to) ? "bad" : WELL.includes(event.to) ? "good" : event.level === "warning" ? "warn" : "note";
}

function drawEvents() {
	const today = new Date(view.t * 1000).toDateString();
	const when = (at) => (at.toDateString() === today ? "" : at.toLocaleDateString("en-GB", { day: "numeric", month: "short" }) + " ") + at.toLocaleTimeString("en-GB");
	put($("events"), ...(view.events.length ? view.events.map((event) => h("li", { class: toneOf(event), "data-kind": event.kind },
		h("time", { datetime: event.time, title: event.time }, when(new Date(event.time))),
		event.from && event.to ? h("span", {}, `${event.object}: `, h("span", { class: "soft" }, event.from), " → ", h("b", {}, event.to), event.why ? h("span", { class: "soft" }, ` (${event.why})`) : null)
			: h("span", {}, event.text))) : [h("li", {}, h("time"), h("span", { class: "none" }, "nothing is recorded"))]));
	// Read aloud: what is new since the last view, not what was there before.
	const latest = view.events.length ? view.events[0].time : "";
	if (newest != null && latest > newest)
		say($("news"), view.events.filter((event) => event.time > newest).map((event) => event.text).join(". "));
	newest = latest;
}

function drawHa() {
	const ha = view.ha, facts = [];
	const add = (name, ...value) => facts.push(h("dt", {}, name), h("dd", {}, ...value));
	add("Role", `${view.role}, generation ${view.generation}`);
	for (const vip of view.vips || [])
		add("Address", h("span", { class: "mono" }, vip.address), vip.held ? " held here" : " not here");
	if (view.partner)
		add("Partner", `${view.partner.name}: ${view.partner.alive ? `alive, ${view.partner.role} (generation ${view.partner.generation})` : "not heard"}${view.partner.rtt_ms != null ? ", " + ms(view.partner.rtt_ms) : ""}`);
	if (ha) {
		add("Profile", `${ha.profile}, adverts every ${ha.advert_ms} ms${ha.realtime ? ", real time" : ""}`);
		add("Handover", `${ha.handover}, last one: ${ha.last_handover}`);
		if (ha.drained)
			add("Drained", h("span", { class: "warn" }, "yes: kept from being active"));
		if (ha.held_s)
			add("Damping", h("span", { class: "warn" }, `role moved too often; left alone for ${ha.held_s} s`));
	}
	if (view.cloud)
		add("Cloud", `${view.cloud.provider}: ${view.cloud.held ? "agrees" : "does not agree"}${view.cloud.error ? ", " + view.cloud.error : ""}`);
	for (const site of view.sites || [])
		add("Site " + site.name, site.connected ? `by ${site.gateway} (${site.reason})` : "not connected");
	if (!view.faults.length)
		add("Health", h("span", { class: "good" }, "good"));
	for (const fault of view.faults)
		add(fault.title, h("span", { class: fault.counts ? "bad" : "warn" }, fault.state), ` for ${age(fault.since_s)}: ${fault.reason}`);
	put($("ha"), ...facts);
}

function drawDrops() {
	const drops = Object.entries(view.drops).sort((a, b) => b[1] - a[1]), most = drops.length ? drops[0][1] : 1;
	const rows = Object.entries(view.forwarded).map(([name, counter]) => h("tr", {}, h("th", { scope: "row" }, name === "to_mesh" ? "to the mesh" : "from the mesh"),
		h("td", { class: "n" }, count(counter.packets)), h("td", {}, "forwarded")));
	for (const [name, packets] of drops.slice(0, 12))
		rows.push(h("tr", {}, h("th", { scope: "row" }, words(name)), h("td", { class: "n" }, count(packets)),
			h("td", {}, h("meter", { min: 0, max: most, value: packets, "aria-label": "dropped: " + words(name) }))));
	const pairs = (view.relayed || []).slice(0, 12).map((pair) => h("tr", {}, h("th", { scope: "row" }, `${pair.from} → ${pair.to}`), h("td", { class: "n" }, count(pair.packets)), h("td", {}, "relayed")));
	put($("drops"), h("table", {}, h("caption", { class: "unseen" }, "Packets forwarded, and dropped by reason"),
		h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "What"), h("th", { scope: "col", class: "n" }, "Packets"), h("th", { scope: "col" }, drops.length ? "Dropped" : ""))), h("tbody", {}, ...rows, ...pairs)),
	drops.length ? null : h("p", { class: "none" }, "Nothing was dropped."));
}

function drawDrills() {
	$("drills-card").hidden = !view.drills || !view.drills.length;
	if ($("drills-card").hidden)
		return;
	const outage = (way) => way && way.outage_loss_ms != null ? ms(way.outage_loss_ms) : "–";
	put($("drills"), h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Drills" }, h("table", {},
		h("thead", {}, h("tr", {}, ...["When", "Drill", "Verdict"].map((text) => h("th", { scope: "col" }, text)), ...["Outage out", "in"].map((text) => h("th", { scope: "col", class: "n" }, text)))),
		h("tbody", {}, ...view.drills.map((drill) => h("tr", {}, h("td", { class: "way" }, new Date(drill.began_s * 1000).toLocaleString("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" })), h("td", { class: "way" }, drill.scenario),
			h("td", { class: drill.verdict === "pass" ? "good" : "bad" }, drill.verdict), h("td", { class: "n" }, outage(drill.out)), h("td", { class: "n" }, outage(drill.in))))))));
}

function drawUsage() {
	const usage = view.usage, all = usage && usage.all;
	$("usage-card").hidden = !all;
	if (!all)
		return;
	const month = new Date(usage.month + "-01T00:00Z").toLocaleDateString("en-GB", { month: "long", year: "numeric", timeZone: "UTC" });
	const number = (title, value, more) => h("div", {}, h("dt", {}, title), h("dd", {}, value), h("dd", {}, more));
	const larger = (name) => Math.max(all[name + "_out_bps"] || 0, all[name + "_in_bps"] || 0);
	const rate = (value) => all.samples ? bits(value) : "–";
	say($("usage-title"), `Usage in ${month}`);
	put($("usage-numbers"),
		number("95th percentile", rate(all.p95_bps), all.samples ? `${bits(all.p95_out_bps)} out, ${bits(all.p95_in_bps)} in` : "no sample of five minutes yet"),
		number("Highest five minutes", rate(larger("peak")), `mean ${rate(larger("mean"))}`),
		number("Carried", size(all.out_bytes + all.in_bytes), `${size(all.out_bytes)} out, ${size(all.in_bytes)} in`),
		number("Samples", count(all.samples), all.missing ? h("span", { class: "warn" }, `${count(all.missing)} missing`) : "none missing"));

	const day = usage.day, end = day.begin + day.out.length * day.slot_s, points = (list) => list.map((bps, i) => [day.begin + (i + 0.5) * day.slot_s, bps]);
	const lines = [{ points: points(day.in), color: "var(--s2)", used: true, area: true }, { points: points(day.out), color: "var(--s0)", used: true, area: true }];
	if (all.samples)
		lines.push({ points: [[day.begin, all.p95_bps], [end, all.p95_bps]], color: "var(--bad)", dashed: true });
	put($("usage-caption"), "Last 24 hours, five minutes each: ", h("i", { class: "line out" }), " out, ", h("i", { class: "line in" }), " in, ", h("i", { class: "line p95" }), " 95th percentile of the month");
	drawChart($("usage-day"), lines, bits, 1000, Infinity, { now: end, span: 86400 });

	const table = (title, heads, rows) => h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": title }, h("table", {}, h("caption", {}, title),
		h("thead", {}, h("tr", {}, ...heads.map((head, i) => h("th", { scope: "col", class: i ? "n" : null }, head)))),
		h("tbody", {}, ...rows.map((row) => h("tr", {}, ...row.map((cell, i) => i ? h("td", { class: "n" }, cell) : h("th", { scope: "row" }, cell)))))));
	put($("usage-tables"),
		table("By site, this month", ["Site", "Out", "In", "Mean", "Peak", "95th"], usage.sites.map((site) => [site.site, size(site.out_bytes), size(site.in_bytes),
			...["mean", "peak", "p95"].map((name) => site.samples ? bits(Math.max(site[name + "_out_bps"], site[name + "_in_bps"])) : "–")])),
		usage.pairs.length ? table("Busiest subnets, since counting began", ["Here and there", "Class", "Out", "In"], usage.pairs.map((pair) => [
			pair.local === "other" ? `other subnets of ${pair.site}` : h("span", { class: "mono" }, `${pair.local} ↔ ${pair.remote}`), pair.class, size(pair.out_bytes), size(pair.in_bytes)])) : null);
}

function draw() {
	if (!view)
		return;
	drawHeader();
	drawTiles();
	drawTopology();
	drawPeers();
	drawEvents();
	drawHa();
	drawDrops();
	drawDrills();
	drawUsage();
}

// ---- live ----

function drawLive() {
	const quiet = Date.now() - heard_ms > QUIET_MS, live = $("live");
	live.className = "live " + (gone || quiet && heard_ms ? "off" : heard_ms ? "on" : "");
	say(live, gone ? "netpasd does not answer" : !heard_ms ? "connecting" : quiet ? `nothing heard for ${Math.round((Date.now() - heard_ms) / 1000 / 5) * 5} s` : "live");
}

function listen() {
	const source = new EventSource("/events");
	source.addEventListener("history", (event) => {
		series.clear();
		bytes.clear();
		for (const [t, paths, peers] of JSON.parse(event.data))
			remember(t, paths, peers);
	});
	source.addEventListener("view", (event) => {
		view = JSON.parse(event.data);
		remember(view.t, ...view.now);
		heard_ms = Date.now();
		gone = false;
		drawLive();
		if (!document.hidden)
			draw();
	});
	source.addEventListener("gone", () => {
		gone = true;
		drawLive();
	});
	source.onerror = () => {
		drawLive();
		// The browser tries again by itself, but not after a refusal: the session has ended, or the gateway restarts.
		if (source.readyState === EventSource.CLOSED)
			setTimeout(() => fetch("/view.json").then((answer) => answer.status === 401 ? location.reload() : listen(), listen), 1000);
	};
}

for (const input of document.querySelectorAll("#span input"))
	input.addEventListener("change", () => {
		span_s = Number(input.value);
		draw();
	});
addEventListener("resize", draw);
document.addEventListener("visibilitychange", () => document.hidden || draw());
setInterval(drawLive, 1000);
listen();

/* Puts the page together from its data, and keeps the chosen session and step. */

const DATA = JSON.parse(byId("data").textContent);
const NAMES = DATA.configurations.map((one) => one.name);
const SEVERAL = NAMES.length > 1;
const state = { session: -1, step: 1, charts: [], readers: [], focus: null };

const colour = (at) => "c" + (at % 6);
const swatch = (key) => make("span", { class: "swatch " + key, "aria-hidden": "true" });
const named = (at) => (SEVERAL ? [swatch(colour(at)), " ", NAMES[at]] : NAMES[at]);
const pageLink = (session, page) => make("a", { href: `#s${session}-p${page}` }, "page " + page);
const spoken = (pressed, value) => (pressed ? share(value) : "–");

/* ---------------------------------------------------------------- configurations side by side */

const METRICS = [
  ["retention", "Retention", "of the values used later, those that stood in the window", "higher is better"],
  ["context", "Context", "those that stood there with their surroundings", "higher is better"],
  ["asked", "Asked", "of the steps, those at which the newest request stood whole", "higher is better", "requested"],
  ["said", "Said", "of what users said, the sentences that stood", "higher is better", "requested"],
  ["first", "First", "of the first request, the sentences that stood", "higher is better", "requested"],
  ["todo", "To-do", "of the plan's open items, those that stood", "higher is better", "planned"],
  ["far_faults", "Far faults", "of those last seen long before, those that were missing", "lower is better"],
  ["bill", "Bill", "input cost with prefix caching; 1 is sending everything", "lower is better"],
];

function metrics() {
  byId("metrics").append(...METRICS.map(([key, title, meaning, better, base]) => {
    const most = Math.max(1, ...DATA.configurations.map((one) => one[key]));
    const rows = DATA.configurations.map((one, at) => {
      const filled = make("span", { class: "fill " + colour(at) });
      filled.style.width = (100 * one[key]) / most + "%";
      return make("div", { class: "bar" }, make("span", { class: "of" }, SEVERAL ? one.name : ""),
        make("span", { class: "value" }, spoken(one[base || "pressed"], one[key])), make("span", { class: "track" }, filled));
    });
    return make("div", { class: "metric" }, make("h3", {}, title), rows, make("p", {}, meaning, "; ", make("em", {}, better)));
  }));
  if (!byId("notes").children.length) byId("notes").remove();
}

/* ---------------------------------------------------------------- the list of sessions */

function sessions() {
  if (DATA.sessions.length < 2) return;
  const body = make("tbody"), heads = [];
  const columns = ["retention", "bill", "missing", "requests lost"];
  const values = DATA.sessions.map((one, at) => [at, one.figures[0].steps, one.figures[0].pressed,
    ...one.figures.flatMap((figures) => [figures.pressed ? figures.retention : null, figures.pressed ? figures.bill : null, figures.needed - Math.round(figures.retention * figures.needed), figures.requested - figures.asked_whole])]);
  const rows = DATA.sessions.map((one, at) => make("tr", { id: "row" + at },
    make("th", { scope: "row" }, make("a", { href: "#s" + at, class: "quoted" }, one.id), one.traces ? null : make("span", { class: "faint" }, " figures only")),
    values[at].slice(1).map((value, column) => make("td", {}, value === null ? "–" : column > 1 && (column - 2) % columns.length < 2 ? share(value) : number(value)))));
  /* Highest first, but for the recordings' own order and where less is worse. */
  const sort = (column, what) => {
    const sign = what === "retention" || what === "session" ? 1 : -1;
    const order = rows.map((_, at) => at).sort((a, b) => {
      const [one, other] = [values[a][column], values[b][column]];
      return (one === null) - (other === null) || sign * (one - other) || a - b;
    });
    put(body, order.map((at) => rows[at]));
    heads.forEach((head, at) => (at === column ? head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending") : head.removeAttribute("aria-sort")));
  };
  const sorter = (what, more) => {
    const column = heads.length;
    heads.push(make("th", { scope: "col", ...more }, make("button", { type: "button", class: "sort", title: "sort by " + what, onclick: () => sort(column, what) }, what)));
    return heads[column];
  };
  const first = ["session", "steps", "pressed"].map((what) => sorter(what, { rowspan: SEVERAL && 2 }));
  const rest = NAMES.map(() => columns.map((what) => sorter(what)));
  const head = [make("tr", {}, first, SEVERAL ? NAMES.map((_, at) => make("th", { scope: "colgroup", colspan: columns.length }, named(at))) : rest), SEVERAL && make("tr", {}, rest)];
  sort(0, "session");
  const choose = make("select", { id: "choose", onchange: (event) => { location.hash = "s" + event.target.value; } },
    DATA.sessions.map((one, at) => make("option", { value: at }, one.id)));
  const turn = (by, text, label) => make("button", { type: "button", "aria-label": label, onclick: () => {
    location.hash = "s" + (state.session + by + DATA.sessions.length) % DATA.sessions.length; } }, text);
  fill(byId("sessions"), {}, [
    make("h2", { id: "all" }, plural(DATA.sessions.length, "session")),
    make("div", { class: "scroll tall", tabindex: "0", role: "region", "aria-labelledby": "all" }, make("table", {}, make("thead", {}, head), body)),
    make("p", { class: "chooser" }, make("label", { for: "choose" }, "Session "), choose, " ", turn(-1, "←", "previous session"), " ", turn(1, "→", "next session")),
  ]).hidden = false;
}

/* ---------------------------------------------------------------- one session */

function show(at) {
  const one = DATA.sessions[at];
  state.session = at;
  state.charts = [];
  state.readers = [];
  document.querySelectorAll("tr[aria-current]").forEach((row) => row.removeAttribute("aria-current"));
  if (byId("row" + at)) byId("row" + at).setAttribute("aria-current", "true");
  if (byId("choose")) byId("choose").value = at;
  const node = byId("session");
  put(node, 
    make("h2", { class: "quoted", id: "s" + at }, SEVERAL || DATA.sessions.length > 1 ? "Session " + one.id : one.id),
    make("p", { class: "about" }, "from ", make("code", { class: "quoted" }, one.source), `, ${plural(one.messages, "message")}, ${plural(one.figures[0].steps, "step")}`));
  if (!one.traces) {
    node.append(make("p", { class: "note" }, "Of this session only the figures are in this page."));
    return;
  }
  state.step = one.index.length;
  const drawn = make("div", { class: "drawn" });
  node.append(drawn, reader(one), make("div", { class: "columns" }, stands(one), decided(one)), missing(one, at), quoted(one, at));
  redraw();
  moveTo(state.step);
}

function redraw() {
  const one = DATA.sessions[state.session];
  const drawn = document.querySelector(".drawn");
  if (!drawn) return;
  const width = Math.max(280, Math.floor(drawn.clientWidth));
  state.charts = [];
  const keep = (chart) => { state.charts.push(chart); return chart; };
  const steps = one.index.length;
  const most = Math.max(DATA.budget, ...one.traces.map((trace) => Math.max(...trace.cached.map((cached, at) => cached + trace.fresh[at]), ...sums(trace))));
  const shared = { most, calm: steps - one.traces[0].pressed.reduce((sum, value) => sum + value, 0), onstep: moveTo };
  put(drawn, 
    make("h3", {}, "What stood in the window"),
    make("p", { class: "lead" }, "Tokens of each window, by role and rendition."), legend(one),
    one.traces.map((trace, at) => figure(at, keep(composition(trace, at, width, shared, steps)))),
    stillSaidSection(one, width, shared, keep),
    make("h3", {}, "Cached and uncached"),
    make("p", { class: "lead" }, `Tokens in a prefix that the window before had too cost ${DATA.price[0]}, all others ${DATA.price[1]}. Counted as the bill counts them: in the form that is sent, in which a recorded reasoning may be missing.`),
    key([["cached", "cached"], ["fresh", "uncached"]], false),
    one.traces.map((trace, at) => figure(at, keep(caching(trace, at, width, shared)))),
    make("h3", {}, "What it costs so far"),
    make("p", { class: "lead" }, "Cost of the pressed steps in tokens without caching, against sending the whole history with the same caching."),
    costs(one, width, shared, keep));
  state.charts.forEach((chart) => chart.moveTo(state.step));
}

const sums = (trace) => trace.kinds[0].map((_, at) => trace.kinds.reduce((sum, kind) => sum + kind[at], 0));
const figure = (at, chart) => make("figure", {}, SEVERAL && make("figcaption", {}, named(at)), chart);

function key(entries, marks) {
  return make("ul", { class: "legend" }, entries.map(([name, text, title]) => make("li", { title }, swatch("k-" + name), " ", text)),
    marks && make("li", {}, draw("svg", { class: "glyph", viewBox: "0 0 10 9", "aria-hidden": "true" }, draw("path", { class: "compaction", d: "M1 1h8l-4 7z" })), " compaction"),
    marks && make("li", {}, draw("svg", { class: "glyph wide", viewBox: "0 0 20 9", "aria-hidden": "true" }, draw("line", { class: "budget", x1: 0, x2: 20, y1: 5, y2: 5 })), " budget " + number(DATA.budget)),
    marks && make("li", {}, swatch("calm"), " not pressed"));
}

function legend(one) {
  const used = DATA.kinds.filter((_, kind) => one.traces.some((trace) => trace.kinds[kind].some((value) => value)));
  return key(used.map((kind) => [kind, ...KINDS[kind]]), true);
}

function composition(trace, at, width, shared, steps) {
  const series = DATA.kinds.map((kind, number) => ({ key: kind, name: KINDS[kind][0], values: trace.kinds[number] }));
  const all = sums(trace), total = all[steps - 1];
  const said = series.filter((one) => one.values[steps - 1]).map((one) => one.name + " " + percent(one.values[steps - 1], total)).join(", ");
  return stacked(width, width < 560 ? 190 : 220, series, { ...shared, marks: trace.compacted, line: { value: DATA.budget, name: "budget" },
    title: "What stood in the windows of " + NAMES[at],
    text: `${plural(steps, "step")}; ${plural(trace.compacted.length, "compaction")}${trace.compacted.length ? " at step " + trace.compacted.join(", ") : ""}. The last window has ${number(total)} tokens: ${said}.` });
}

function caching(trace, at, width, shared) {
  const whole = (values) => values.reduce((sum, value) => sum + value, 0);
  const series = [{ key: "cached", name: "cached", values: trace.cached }, { key: "fresh", name: "uncached", values: trace.fresh }];
  return stacked(width, 150, series, { ...shared, title: "Cached and uncached tokens of " + NAMES[at],
    text: `Over all ${plural(trace.cached.length, "step")} ${number(whole(trace.cached))} tokens are cached and ${number(whole(trace.fresh))} are not.` });
}

/* Cost of all pressed steps up to each one. */
function running(trace, cached, fresh) {
  let sum = 0;
  return trace.pressed.map((pressed, at) => (sum += pressed * (DATA.price[0] * cached(at) + DATA.price[1] * fresh(at))));
}
const spent = (trace) => running(trace, (at) => trace.cached[at], (at) => trace.fresh[at]);
const everything = (trace) => running(trace, (at) => trace.historyCached[at], (at) => trace.history[at] - trace.historyCached[at]);

function costs(one, width, shared, keep) {
  const steps = one.index.length;
  const series = [{ key: "all", name: "everything", values: everything(one.traces[0]) }, ...one.traces.map((trace, at) => {
    const values = spent(trace), whole = everything(trace);
    const times = whole[steps - 1] ? (values[steps - 1] / whole[steps - 1]).toFixed(2) + "×" : "";
    return { key: colour(at), name: `${NAMES[at].length > 12 ? NAMES[at].slice(0, 11) + "…" : NAMES[at]} ${times}`, values };
  })];
  const text = series.map((line) => `${line.name}: ${number(line.values[steps - 1])}`).join("; ") + ".";
  return [make("ul", { class: "legend" }, series.map((line) => make("li", {}, swatch(line.key), " ", line.name))),
    make("figure", {}, keep(lines(width, 200, series, { ...shared, title: "Cost up to each step", text })))];
}

/* ---------------------------------------------------------------- one step */

function moveTo(wanted) {
  const step = Math.min(Math.max(wanted, 1), DATA.sessions[state.session].index.length);
  state.step = step;
  state.charts.forEach((chart) => chart.moveTo(step));
  state.readers.forEach((read) => read(step));
}

function reader(one) {
  const steps = one.index.length;
  const slider = make("input", { type: "range", id: "step", min: 1, max: steps, value: 1, oninput: () => moveTo(Number(slider.value)) });
  const told = make("output", { for: "step", id: "told" });
  state.readers.push((step) => {
    slider.value = step;
    const at = step - 1;
    slider.setAttribute("aria-valuetext", `step ${step} of ${steps}`);
    put(told, ...one.traces.map((trace, number_) => make("span", { class: "told" }, SEVERAL && [named(number_), ": "],
      `${number(trace.kinds.reduce((sum, kind) => sum + kind[at], 0))} tokens, ${percent(trace.fresh[at], trace.cached[at] + trace.fresh[at])} uncached`,
      trace.needed[at] ? `, ${trace.lost[at]} of ${trace.needed[at]} missing` : "", isLost(trace, at) && make("strong", { class: "warn" }, ", request lost"), trace.compacted.includes(step) ? ", compacted" : "")));
  });
  const where = make("span", { class: "at" });
  state.readers.push((step) => put(where, `${number(step)} of ${number(steps)}`, make("span", { class: "faint" }, ` before message ${one.index[step - 1]}`)));
  return make("div", { class: "reader" }, make("div", { class: "slide" }, make("label", { for: "step" }, "Step "), where, slider), told);
}

function table(caption, head, rows, titled) {
  return make("div", { class: titled ? "scroll tall" : "scroll", tabindex: "0", role: "region", "aria-label": caption }, make("table", {}, make("caption", { class: titled && "unseen" }, caption),
    make("thead", {}, make("tr", {}, head.map((text) => make("th", { scope: "col" }, text)))), make("tbody", {}, rows)));
}

/* The tokens of the chosen step. */
function stands(one) {
  const node = make("div", { class: "stands" });
  state.readers.push((step) => {
    const at = step - 1;
    const row = (head, values) => make("tr", {}, make("th", { scope: "row" }, head), values.map((value) => make("td", {}, value)));
    const used = DATA.kinds.map((_, kind) => kind).filter((kind) => one.traces.some((trace) => trace.kinds[kind].some((value) => value)));
    put(node, table(`Step ${step}, in tokens`, ["", ...NAMES], [
      used.map((kind) => row([swatch("k-" + DATA.kinds[kind]), " ", KINDS[DATA.kinds[kind]][0]], one.traces.map((trace) => number(trace.kinds[kind][at])))),
      make("tr", { class: "sum" }, make("th", { scope: "row" }, "window"), one.traces.map((trace) => make("td", {}, number(trace.kinds.reduce((sum, kind) => sum + kind[at], 0))))),
      row("billed as cached", one.traces.map((trace) => number(trace.cached[at]))),
      row("billed as uncached", one.traces.map((trace) => number(trace.fresh[at]))),
      row("full history, billed", one.traces.map((trace) => number(trace.history[at]))),
      row("values needed", one.traces.map((trace) => number(trace.needed[at]))),
      row("values missing", one.traces.map((trace) => number(trace.lost[at])))]), askedTable(one, at));
  });
  return node;
}

/* The ledger of the chosen step. */
function decided(one) {
  const node = make("div", { class: "decided" });
  state.readers.push((step) => {
    put(node, ...one.traces.map((trace, at) => {
      const rows = new Map();
      for (let earlier = 0; earlier < step; earlier++) for (const [rule, ...row] of trace.ledger[earlier]) row.length ? rows.set(rule, row) : rows.delete(rule);
      return table("Ledger" + (SEVERAL ? " of " + NAMES[at] : ""), ["pages", "count", "stand", "why", "before", "after"], [...rows.entries()].sort((a, b) => a[1][0] - b[1][0]).map(
        ([rule, [first, last, pages, before, after]]) => {
          const [rendition, why, compressor] = trace.rules[rule];
          return make("tr", {}, make("td", {}, first === last ? first : first + (pages === last - first + 1 ? "–" : " … ") + last), make("td", {}, number(pages)), make("td", {}, rendition),
            make("td", { class: "why" }, why + (compressor ? ` (by ${compressor})` : "")), make("td", {}, number(before)), make("td", {}, number(after)));
        }));
    }));
  });
  return node;
}

/* ---------------------------------------------------------------- what was missing */

const goTo = (step) => make("button", { type: "button", class: "step", "aria-label": "go to step " + step, onclick: () => { moveTo(step); byId("step").focus(); } }, step);

function missing(one, session) {
  const title = make("h3", { id: "missing" }, "Values that were missing");
  if (!one.values.length) return make("div", {}, title, make("p", { class: "lead" }, "Every value that the recorded messages used stood in its window."));
  const where = ([times, ...at]) => make("td", {}, times ? [at.map(([step, rendition], number_) => [number_ ? " " : "", goTo(step), rendition !== (at[number_ + 1] || [])[1] && [" ", make("span", { class: "faint" }, rendition)]]),
    times > at.length && ` and ${times - at.length} more`] : make("span", { class: "faint" }, "–"));
  const rows = one.values.map(([atom, page, far, at], row) => make("tr", { id: `s${session}-v${row}` }, make("th", { scope: "row" }, make("code", { class: "quoted" }, atom)),
    make("td", {}, one.pages[page] ? pageLink(session, page) : "page " + page, far ? make("span", { class: "faint" }, " far") : null), at.map(where)));
  return make("div", {}, title,
    make("p", { class: "lead" }, "The recorded message used them, they had been said before, and they did not stand in the window. With each: the page that last said it, the steps at which it was missing, and how that page stood then. Far are those last said ten or more messages before."),
    table("Values that were missing", ["value", "last said on", ...(SEVERAL ? NAMES.map((name) => "missing: " + name) : ["missing at step"])], rows, true),
    one.more ? make("p", { class: "note" }, `${plural(one.more, "more value")} of this session ${one.more === 1 ? "is" : "are"} not listed.`) : null);
}

const ROLES = { user: "user", assistant: "assistant", tool: "tool result", system: "system" };

function quoted(one, session) {
  const pages = Object.entries(one.pages);
  if (!pages.length) return "";
  return make("div", {}, make("h3", { id: "pages" }, "The pages that held them"),
    make("p", { class: "lead" }, "Cut to the beginning and what stands around the values. With the session imported, the command under a page prints all of it."),
    pages.map(([page, messages]) => {
      const values = one.values.map((value, row) => [...value, row]).filter((value) => String(value[1]) === page);
      return make("article", { class: "page", id: `s${session}-p${page}`, tabindex: "-1" }, make("h4", {}, "Page " + page),
        messages.map(([role, tools, pieces]) => [make("p", { class: "role" }, ROLES[role] || role, tools.length ? " calls " : "", make("span", { class: "quoted" }, tools.join(", "))),
          pieces.length ? make("pre", { class: "quoted" }, pieces.map((piece) => (typeof piece === "number" ? make("span", { class: "gap" }, `[… ${plural(piece, "character")} …]`) : marked(piece, values.map((value) => value[0]))))) : null]),
        make("p", { class: "full" }, make("code", { class: "quoted" }, command(one.id, page)), " · missing: ",
          values.map(([atom, , , , row], at) => [at ? ", " : "", make("a", { href: `#s${session}-v${row}`, class: "quoted" }, atom)])));
    }));
}

/* As a shell takes it, whatever the id holds. */
const command = (session, page) => "lamina expand " + (/^[\w.@%+=:,/#-]+$/.test(session) ? `${session}#${page}` : "'" + `${session}#${page}`.replaceAll("'", "'\\''") + "'");

function marked(text, values) {
  const parts = [];
  for (let from = 0; from < text.length; ) {
    const found = values.map((value) => [text.indexOf(value, from), value]).filter(([at]) => at >= 0).sort((a, b) => a[0] - b[0] || b[1].length - a[1].length)[0];
    if (!found) { parts.push(text.slice(from)); break; }
    parts.push(text.slice(from, found[0]), make("mark", {}, found[1]));
    from = found[0] + found[1].length;
  }
  return parts;
}

/* ---------------------------------------------------------------- where the address points */

function follow() {
  const found = /^#s(\d+)(-[pv]\d+)?$/.exec(location.hash);
  const at = found ? Math.min(Number(found[1]), DATA.sessions.length - 1) : state.session >= 0 ? state.session : Math.max(DATA.sessions.findIndex((one) => one.traces && one.figures[0].pressed), 0);
  if (at !== state.session) show(at);
  const target = found && byId(location.hash.slice(1));
  if (!target) return;
  target.scrollIntoView();
  if (target.matches("article")) target.focus({ preventScroll: true });
}

metrics();
sessions();
follow();
addEventListener("hashchange", follow);
let waiting = 0;
addEventListener("resize", () => { cancelAnimationFrame(waiting); waiting = requestAnimationFrame(redraw); });

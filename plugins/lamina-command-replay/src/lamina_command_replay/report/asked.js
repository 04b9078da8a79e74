/* What each window still said of what the agent was asked to do: a picture, and the numbers of the chosen step. */

const MEASURES = [
  ["retention", "retention", "values needed that stood"],
  ["asked", "asked", "sentences of the newest request that stood"],
  ["said", "said", "sentences of what users said that stood"],
  ["todo", "to-do", "open items of the plan that stood"],
];
const part = (count) => (count ? count[0] / count[1] : null);
const isLost = (trace, at) => Boolean(trace.asked[at]) && trace.asked[at][0] < trace.asked[at][1];
const retained = (trace) => trace.needed.map((needed, at) => (needed ? 1 - trace.lost[at] / needed : null));

/* Runs of steps at which the newest request did not stand whole, as [first, last], numbered from 1. */
function lostRuns(trace) {
  const runs = [];
  trace.asked.forEach((_, at) => {
    if (!isLost(trace, at)) return;
    if (at && isLost(trace, at - 1)) runs[runs.length - 1][1] = at + 1;
    else runs.push([at + 1, at + 1]);
  });
  return runs;
}

/* The outline of columns between an edge and a height for each step; steps without a height have none. */
function columns(plot, edge, heights) {
  const r = plot.round;
  let path = "", open = false;
  heights.forEach((y, at) => {
    if (open && y === null) path += "V" + r(edge) + "Z";
    if (!open && y !== null) path += "M" + r(plot.x(at)) + " " + r(edge);
    open = y !== null;
    if (open) path += "V" + r(y) + "H" + r(plot.x(at + 1));
  });
  return path + (open ? "V" + r(edge) + "Z" : "");
}

const cross = (x, y) => `M${x - 3} ${y - 3}l6 6m0 -6l-6 6`;

/* One lane for each measure, full where all of it stood. */
function lanes(width, series, trace, extra) {
  const steps = trace.asked.length, wide = width >= 560, tall = 26, gap = wide ? 11 : 26;
  const height = 43 + series.length * (tall + gap);
  const plot = frame(width, height, steps, 1, true);
  const parts = series.map((one, lane) => {
    const top = plot.top + lane * (tall + gap) + gap, base = top + tall;
    const y = (value) => (value === null ? null : base - tall * value);
    const gone = one.key === "asked" ? one.values.map((value, at) => (isLost(trace, at) ? y(value) : null)) : [];
    return [draw("path", { class: "lane", d: columns(plot, base, one.values.map((value) => y(value === null ? null : 1))) }),
      draw("path", { class: "stood", "data-measure": one.key, d: columns(plot, base, one.values.map(y)) }, draw("title", {}, one.title)),
      gone.length > 0 && draw("path", { class: "lost", d: columns(plot, top, gone) }, draw("title", {}, "newest request lost")),
      gone.length > 0 && lostRuns(trace).map(([first, last]) => draw("path", { class: "cross", d: cross(plot.round(plot.x((first + last - 1) / 2)), top - 5) })),
      draw("text", wide ? { class: "name", x: plot.left + plot.width + 8, y: base - tall / 2 + 4 } : { class: "name", x: plot.left, y: top - 11 }, one.name)];
  });
  return picture(width, height, plot, steps, extra.title, extra.text, [calm(plot, extra.calm), below(plot, steps), parts], extra.onstep);
}

/* Of one session under one configuration. */
function stillSaid(trace, at, width, shared) {
  const values = { retention: retained(trace), asked: trace.asked.map(part), said: trace.said.map(part), todo: trace.todo.map(part) };
  const series = MEASURES.map(([key, name, title]) => ({ key, name, title, values: values[key] })).filter((one) => one.values.some((value) => value !== null));
  const mean = (one) => {
    const known = one.values.filter((value) => value !== null);
    return one.name + " " + share(known.reduce((sum, value) => sum + value, 0) / known.length);
  };
  return lanes(width, series, trace, { ...shared, title: "What the windows of " + NAMES[at] + " still said",
    text: `${lostText(trace)} Means over the steps: ${series.map(mean).join(", ") || "0 steps"}.` });
}

function lostText(trace) {
  const requested = trace.asked.filter((one) => one).length;
  const lost = trace.asked.filter((_, at) => isLost(trace, at)).length;
  return requested ? `The newest request was lost at ${number(lost)} of ${plural(requested, "step")}.` : "At none of 0 steps something was asked for.";
}

/* Where the request was lost, with a button for each run of steps. */
function lostSteps(trace) {
  const runs = lostRuns(trace), shown = runs.slice(0, 12);
  const at = shown.map(([first, last], run) => [run ? ", " : " ", goTo(first), last > first && "–" + last]);
  return make("p", { class: "lead lost-steps" }, runs.length > 0 && mark(), lostText(trace), runs.length > 0 && [" From step", at],
    runs.length > shown.length && ` and ${plural(runs.length - shown.length, "more run")} of steps`);
}

const mark = () => [draw("svg", { class: "glyph", viewBox: "0 0 10 9", "aria-hidden": "true" }, draw("path", { class: "cross", d: cross(5, 4.5) })), " "];

function saidLegend() {
  const entry = (kind, text) => make("li", {}, swatch(kind), " ", text);
  return make("ul", { class: "legend" }, entry("k-stood", "stood"), entry("k-lane", "did not stand"), entry("k-lost", "missing of the newest request"), make("li", {}, mark(), "newest request lost"), make("li", {}, swatch("calm"), " not pressed"));
}

function stillSaidSection(one, width, shared, keep) {
  return [make("h3", { id: "said" }, "What the window still said"),
    make("p", { class: "lead" }, "At every pressed step: of the values needed, of the newest request, of what users said so far, and of the plan's open items, the share that stood. Where a lane is empty, nothing was to stand. A request is lost where one of its sentences does not stand."),
    saidLegend(),
    one.traces.map((trace, at) => [figure(at, keep(stillSaid(trace, at, width, shared))), lostSteps(trace)])];
}

/* The numbers of one step. */
function askedTable(one, at) {
  const told = (count) => (count ? `${number(count[0])} of ${number(count[1])}` : "–");
  const row = (head, cells) => make("tr", {}, make("th", { scope: "row" }, head), cells.map((cell) => make("td", {}, cell)));
  const request = one.traces.some((trace) => trace.asked[at]) && one.traces[0].request[at];
  return table("What stands of what was asked for", ["", ...NAMES], [
    row(["newest request", request !== false && make("span", { class: "faint" }, " message " + request)],
      one.traces.map((trace) => [told(trace.asked[at]), isLost(trace, at) && make("strong", { class: "warn" }, " lost")])),
    row("what users said", one.traces.map((trace) => told(trace.said[at]))),
    row("first request", one.traces.map((trace) => told(trace.first[at]))),
    row("open items of the plan", one.traces.map((trace) => told(trace.todo[at])))]);
}

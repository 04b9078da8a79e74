/* The charts. Each gives an SVG whose marker can be moved to a step; steps are numbered from 1. */

const KINDS = {
  system: ["system", "system messages, verbatim"],
  user: ["user", "user messages, verbatim"],
  assistant: ["assistant", "assistant messages, verbatim"],
  results: ["tool results", "tool results, verbatim"],
  shortened: ["shortened", "what stands shortened, of any role"],
  digest: ["digest", "excerpts of old pages"],
  stubs: ["stubs", "lines that stand for what is paged out"],
  recalled: ["recalled", "recalled memories"],
};

function frame(width, height, steps, most, labels) {
  const left = 44, right = labels ? (width < 560 ? 12 : 118) : 12, top = 16, bottom = 27;
  const plot = { left, top, width: Math.max(60, width - left - right), height: height - top - bottom };
  plot.x = (step) => left + (plot.width * step) / Math.max(steps, 1);
  plot.y = (value) => top + plot.height * (1 - value / most);
  plot.round = (value) => Math.round(value * 10) / 10;
  return plot;
}

function axes(plot, steps, most) {
  const lines = ticks(most, 4).map((value) => [
    draw("line", { class: "grid", x1: plot.left, x2: plot.left + plot.width, y1: plot.y(value), y2: plot.y(value) }),
    draw("text", { class: "tick", x: plot.left - 7, y: plot.y(value) + 4, "text-anchor": "end" }, short(value)),
  ]);
  return [lines, below(plot, steps)];
}

/* The numbers of the steps. */
function below(plot, steps) {
  const wanted = plot.width < 400 ? 4 : 8;
  const marks = ticks(steps, wanted).map((step) => Math.max(step, 1)).filter((step, at, all) => all.indexOf(step) === at);
  const numbers = marks.map((step) =>
    draw("text", { class: "tick", x: plot.x(step - 0.5), y: plot.top + plot.height + 18, "text-anchor": "middle" }, number(step)));
  return [numbers, draw("text", { class: "tick", x: plot.left - 7, y: plot.top + plot.height + 18, "text-anchor": "end" }, "step")];
}

/* The outline of columns between two heights for each step. */
function band(plot, low, high) {
  const r = plot.round;
  let path = "M" + r(plot.x(0)) + " " + r(plot.y(high[0]));
  high.forEach((value, at) => { path += "V" + r(plot.y(value)) + "H" + r(plot.x(at + 1)); });
  for (let at = low.length - 1; at >= 0; at--) path += "V" + r(plot.y(low[at])) + "H" + r(plot.x(at));
  return path + "Z";
}

function picture(width, height, plot, steps, title, text, parts, onstep) {
  const id = "t" + (picture.made = (picture.made || 0) + 1);
  const marker = draw("rect", { class: "marker", y: plot.top, height: plot.height, width: Math.max(1.5, plot.width / steps), x: plot.x(0) });
  const node = draw("svg", { class: "chart", role: "img", "aria-labelledby": id + " " + id + "d", viewBox: "0 0 " + width + " " + height, "data-steps": steps },
    draw("title", { id }, title), draw("desc", { id: id + "d" }, text), parts, marker);
  const toStep = (event) => {
    const box = node.getBoundingClientRect();
    const at = ((event.clientX - box.left) * width) / box.width;
    onstep(Math.min(steps, Math.max(1, Math.ceil(((at - plot.left) * steps) / plot.width))));
  };
  node.addEventListener("pointermove", (event) => { if (event.pointerType === "mouse") toStep(event); });
  node.addEventListener("click", toStep);
  node.moveTo = (step) => { marker.setAttribute("x", plot.x(step - 1)); };
  return node;
}

/* Names beside their bands or line ends, so that none covers another. */
function beside(plot, height, named, reach) {
  const left = plot.left + plot.width + 8;
  const sorted = named.slice().sort((a, b) => a.y - b.y);
  sorted.forEach((one, at) => { one.at = Math.max(one.y, at ? sorted[at - 1].at + reach : plot.top); });
  for (let at = sorted.length - 1, most = height - 10; at >= 0; at--, most -= reach) sorted[at].at = Math.min(sorted[at].at, most);
  return sorted.map((one) => draw("text", { class: "name", x: left, y: one.at + 4 }, one.name));
}

function stacked(width, height, series, extra) {
  const steps = series[0].values.length;
  const most = extra.most * 1.04;
  const plot = frame(width, height, steps, most, true);
  const low = new Array(steps).fill(0);
  const named = [];
  const bands = series.filter((one) => one.values.some((value) => value)).map((one) => {
    const from = low.slice();
    one.values.forEach((value, at) => { low[at] += value; });
    const thick = plot.y(from[steps - 1]) - plot.y(low[steps - 1]);
    if (thick >= 13) named.push({ name: one.name, y: (plot.y(from[steps - 1]) + plot.y(low[steps - 1])) / 2 });
    return draw("path", { class: "band k-" + one.key, d: band(plot, from, low) }, draw("title", {}, one.name));
  });
  const parts = [calm(plot, extra.calm), axes(plot, steps, most), bands];
  if (extra.line) {
    const y = plot.y(extra.line.value);
    parts.push(draw("line", { class: "budget", x1: plot.left, x2: plot.left + plot.width, y1: y, y2: y }));
    named.push({ name: extra.line.name, y });
  }
  for (const step of extra.marks || []) {
    const x = plot.x(step - 1);
    parts.push(draw("path", { class: "compaction", d: `M${x - 4} ${plot.top - 9}h8l-4 7z` }),
      draw("line", { class: "compacted", x1: x, x2: x, y1: plot.top - 2, y2: plot.top + plot.height }));
  }
  if (width >= 560) parts.push(beside(plot, height - 18, named, 13));
  return picture(width, height, plot, steps, extra.title, extra.text, parts, extra.onstep);
}

/* The steps whose history fits the budget: nothing is measured there. */
function calm(plot, steps) {
  return steps > 0 && draw("rect", { class: "calm", x: plot.x(0), y: plot.top, width: plot.x(steps) - plot.x(0), height: plot.height },
    draw("title", {}, "not pressed: the full history fits the budget"));
}

function lines(width, height, series, extra) {
  const steps = series[0].values.length;
  const most = Math.max(1, ...series.map((one) => one.values[steps - 1])) * 1.06;
  const plot = frame(width, height, steps, most, true);
  const paths = series.map((one) => draw("path", { class: "line " + one.key, d: "M" + one.values.map((value, at) =>
    plot.round(plot.x(at + 0.5)) + " " + plot.round(plot.y(value))).join("L") }, draw("title", {}, one.name)));
  const parts = [calm(plot, extra.calm), axes(plot, steps, most), paths];
  if (width >= 560) parts.push(beside(plot, height - 18, series.map((one) => ({ name: one.name, y: plot.y(one.values[steps - 1]) })), 15));
  return picture(width, height, plot, steps, extra.title, extra.text, parts, extra.onstep);
}

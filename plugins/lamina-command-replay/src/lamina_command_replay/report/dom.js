"use strict";

/* Makes elements. Texts only ever become text nodes: what recordings say is never read as markup. */

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...(children || []).flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

const put = (node, ...children) => { node.replaceChildren(); return fill(node, {}, children); };
const make = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const draw = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);
const byId = (id) => document.getElementById(id);

const number = (value) => Math.round(value).toLocaleString("en-US");
const share = (value) => value.toFixed(3);
const percent = (part, whole) => (whole ? ((100 * part) / whole).toFixed(part * 100 < 10 * whole ? 1 : 0) : "0") + " %";
const plural = (count, one, many) => number(count) + " " + (count === 1 ? one : many || one + "s");
const short = (value) => (value >= 1e6 ? +(value / 1e6).toFixed(1) + "M" : value >= 1e3 ? +(value / 1e3).toFixed(1) + "k" : String(+value.toFixed(0)));

/* A few round numbers from 0 up to most. */
function ticks(most, wanted) {
  const rough = Math.max(most, 1) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(1, [1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough && (factor * power) % 1 === 0 || factor === 10) * power);
  return Array.from({ length: Math.floor(most / step + 1e-9) + 1 }, (_, at) => at * step);
}

// How numbers look, and the little there is to say about elements.

function element(id) { return document.getElementById(id); }

// An element of text and of other elements; nothing here or elsewhere parses text as HTML.
function make(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.filter(child => child !== null && child !== ""));
  return made;
}

function button(text, action, properties = {}) {
  const made = make("button", { type: "button", ...properties }, text);
  made.addEventListener("click", action);
  return made;
}

function exact(count) { return (typeof count === "number" ? count : BigInt(count)).toLocaleString("en"); }

function plural(number, one, many = one + "s") { return `${exact(number)} ${number === 1 ? one : many}`; }

function times(count) { return count === 0 ? "never" : count === 1 ? "once" : count === 2 ? "twice" : `${exact(count)} times`; }

// 999, 1.2k, 35k, 1.2M
function short(count) {
  if (typeof count === "number" && count < 1000) return String(count);
  const units = ["k", "M", "G", "T", "P", "E"];
  let value = Number(count) / 1000, unit = 0;
  while (value >= 999.5 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return (value < 9.95 ? value.toFixed(1).replace(/\.0$/, "") : value.toFixed(0)) + units[unit];
}

// Rounded down: 100 % is only what is complete.
function percent(ratio) {
  const value = share(ratio);
  return isNaN(value) ? "–" : value === 1 ? "100 %" : `${(Math.floor(value * 1000) / 10).toFixed(1)} %`;
}

function level(ratio) {
  const value = share(ratio);
  return isNaN(value) ? "none" : value === 1 ? "full" : value >= 0.8 ? "high" : value >= 0.5 ? "middle" : "low";
}

// A bar is an ornament of the number beside it.
function bar(ratio) {
  const fill = make("span", { className: "fill" });
  fill.style.width = `${(share(ratio) || 0) * 100}%`;
  return make("span", { className: `meter ${level(ratio)}`, "aria-hidden": "true" }, fill);
}

function ofText([covered, all], what) { return `${exact(covered)} of ${exact(all)} ${what}`; }

const kindNames = { lines: "Lines", regions: "Regions", functions: "Functions", branches: "Branches", mcdc: "MC/DC" };

const colors = new Map(); // of the theme; forgotten when it changes

function colorOf(name) {
  if (!colors.has(name)) colors.set(name, getComputedStyle(document.documentElement).getPropertyValue(name));
  return colors.get(name);
}

// A box of text at the pointer.
function showTip(lines, x, y) {
  const tip = element("tip");
  tip.hidden = !lines;
  if (!lines) return;
  tip.replaceChildren(...lines.map(line => make("p", {}, line)));
  tip.style.left = Math.max(Math.min(x + 12, window.innerWidth - tip.offsetWidth - 8), 0) + "px";
  const below = y + 18, above = y - tip.offsetHeight - 10;
  tip.style.top = Math.max(below + tip.offsetHeight > window.innerHeight ? above : below, 0) + "px";
}

// What is remembered from page to page; browsers may forbid it.
const memory = {
  get(key) {
    try { return localStorage.getItem("weft-coverage-" + key); } catch { return null; }
  },
  set(key, value) {
    try { localStorage.setItem("weft-coverage-" + key, value); } catch { /* then it is forgotten */ }
  },
};

// How numbers, times and colors look, and the little there is to say about elements.

function element(id) { return document.getElementById(id); }

// An element of text and of other elements; nothing here or elsewhere parses text as HTML.
function make(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function count(number) { return Math.round(number).toLocaleString("en"); }

function plural(number, one, many = one + "s") { return `${count(number)} ${number === 1 ? one : many}`; }

function percent(share) { return `${(share * 100).toFixed(share < 0.1 ? 2 : 1)} %`; }

const units = [[1e9, "s"], [1e6, "ms"], [1e3, "µs"], [1, "ns"]];

// Four digits are enough to compare.
function duration(ns) {
  const [size, unit] = units.find(([size]) => Math.abs(ns) >= size) ?? units[3];
  const value = ns / size;
  return `${unit === "ns" && Number.isInteger(ns) ? ns : value.toFixed(value >= 1000 ? 0 : value >= 100 ? 1 : value >= 10 ? 2 : 3)} ${unit}`;
}

// A point in time, as exact as steps of that size need.
function moment(ns, step = 1) {
  const [size, unit] = units.find(([size]) => Math.abs(ns) >= size) ?? units[3];
  const digits = Math.min(Math.max(Math.ceil(Math.log10(size / step)), 0), Math.round(Math.log10(size)));
  return `${(ns / size).toFixed(digits)} ${unit}`;
}

// A step of 1, 2 or 5 times a power of ten that is at least this long.
function roundStep(least) {
  const power = 10 ** Math.floor(Math.log10(Math.max(least, 1)));
  return [1, 2, 5, 10].map(n => n * power).find(step => step >= least);
}

const theme = {};

function readTheme() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["accent", "ground", "panel", "line", "text", "quiet", "warn", "lightness"]) theme[name] = style.getPropertyValue("--" + name).trim();
}

function hash(text) {
  let value = 2166136261;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 16777619);
  return (value ^ value >>> 15) >>> 0;
}

// The same name has the same color in every trace. Light enough for dark text in both themes. As a pixel: alpha, blue, green, red.
function colorOf(name) {
  const bits = hash(name);
  return hsl(bits % 24 * 15, 45 + (bits >>> 8) % 3 * 12, Number(theme.lightness) + ((bits >>> 16) % 3 - 1) * 5);
}

function hsl(hue, saturation, lightness) {
  const l = lightness / 100, a = saturation / 100 * Math.min(l, 1 - l);
  const channel = n => {
    const k = (n + hue / 30) % 12;
    return Math.round(255 * (l - a * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  };
  return (0xff000000 | channel(4) << 16 | channel(8) << 8 | channel(0)) >>> 0;
}

function faded(color) { return (color & 0xffffff | 0x38000000) >>> 0; }

function cssColor(color) { return `rgba(${color & 255},${color >>> 8 & 255},${color >>> 16 & 255},${(color >>> 24) / 255})`; }

const monospace = "11px ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace";

// Text in a box: as many characters as fit, without measuring each.
function fitText(context, text, x, y, width) {
  fitText.advance ??= context.measureText("0").width;
  const fits = Math.floor(width / fitText.advance);
  if (fits < 2) return;
  const shown = text.length <= fits ? text : text.slice(0, fits - 1) + "…";
  context.fillText(shown, x, y, width); // the last for what is wider than its count of characters says
}

// Keeps a canvas as large as what it fills, in the display's own pixels.
function fitCanvas(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const w = Math.max(Math.round(width * ratio), 1), h = Math.max(Math.round(height * ratio), 1);
  if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
  canvas.style.height = height + "px";
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}

// A box of text at the pointer, of lines that are shown as they are.
function showTip(lines, x, y) {
  const tip = element("tip");
  tip.hidden = !lines;
  if (!lines) return;
  tip.replaceChildren(...lines.map(line => make("p", { textContent: line })));
  tip.style.left = Math.max(Math.min(x + 14, window.innerWidth - tip.offsetWidth - 6), 0) + "px";
  const below = y + 18, above = y - tip.offsetHeight - 10;
  tip.style.top = Math.max(below + tip.offsetHeight > window.innerHeight ? above : below, 0) + "px";
}

// "name", "file:line", "symbol in module" of a function, as far as known.
function functionLines(trace, index) {
  const f = trace.functions[index], lines = [f.name];
  if (f.file) lines.push(f.line ? `${f.file}:${f.line}` : f.file);
  const where = [f.symbol, f.module >= 0 ? trace.modules[f.module] : ""].filter(s => s).join(" in ");
  if (where) lines.push(where);
  return lines;
}

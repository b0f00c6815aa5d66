// The timeline: a lane for every depth of every thread, and a map of all of it.

const lanes = { axis: 24, head: 22, row: 18, mark: 14, folded: 8, mostRows: 1000, openRows: 600 };

class Timeline {
  constructor(app) {
    this.app = app;
    this.canvas = element("lanes");
    this.scroll = this.canvas.parentElement;
    this.spacer = this.scroll.querySelector(".spacer");
    this.map = new TimelineMap(this);
    this.view = { from: app.trace.from, to: Math.max(app.trace.to, app.trace.from + 10) };
    this.whole = { ...this.view };
    this.folded = new Set();
    this.chosen = this.hovered = this.drawn = null;
    this.pixels = document.createElement("canvas");
    this.open();
    new Pointers(this.canvas, this);
    this.scroll.addEventListener("scroll", () => app.redraw(this));
    this.layOut();
  }

  get scale() { return (this.view.to - this.view.from) / Math.max(this.width, 1); }

  get width() { return this.scroll.clientWidth; }

  get height() { return this.scroll.clientHeight; }

  // Of many threads, the first ones are shown with all of their rows.
  open() {
    let rows = 0;
    for (const thread of this.app.trace.threads) {
      rows += thread.rows.length + thread.spans.length;
      if (rows > lanes.openRows && thread !== this.app.trace.threads[0]) this.folded.add(thread);
    }
  }

  // Which lane is where.
  layOut() {
    this.lanes = [];
    let y = lanes.axis;
    const add = (lane, height) => {
      this.lanes.push({ ...lane, y, height });
      y += height;
    };
    for (const thread of this.app.threads) {
      add({ thread, kind: "head" }, lanes.head);
      if (this.folded.has(thread)) {
        if (thread.rows.length) add({ thread, kind: "call", depth: 0, row: thread.rows[0] }, lanes.folded);
        continue;
      }
      if (thread.events) add({ thread, kind: "event", row: thread.events }, lanes.mark);
      for (const row of thread.spans) add({ thread, kind: "span", row }, lanes.row);
      thread.rows.slice(0, lanes.mostRows).forEach((row, depth) => add({ thread, kind: "call", depth, row }, lanes.row));
    }
    this.tops = this.lanes.map(lane => lane.y);
    this.content = y + 4;
    this.resize();
  }

  resize() {
    this.context = fitCanvas(this.canvas, this.width, this.height);
    this.spacer.style.height = Math.max(this.content - this.height, 0) + "px";
    this.map.resize();
    this.app.redraw(this);
  }

  // ---- moving

  show(from, to) {
    const length = Math.min(Math.max(to - from, 10), this.whole.to - this.whole.from);
    from = Math.min(Math.max(from, this.whole.from), this.whole.to - length);
    this.view = { from, to: from + length };
    this.app.redraw(this);
  }

  zoom(factor, x = this.pointer ?? this.width / 2) {
    const { from, to } = this.view, fixed = from + x * this.scale, length = Math.max((to - from) * factor, 10);
    const begin = fixed - (fixed - from) * length / (to - from);
    this.show(begin, begin + length);
  }

  pan(pixels) {
    const time = pixels * this.scale;
    this.show(this.view.from + time, this.view.to + time);
  }

  // Around a slice, with some room; and up or down to its lane.
  showSlice(from, to, lane) {
    const room = Math.max((to - from) * 0.15, 10);
    this.show(from - room, to + room);
    this.reveal(lane);
  }

  reveal(lane) {
    if (!lane) return;
    const top = this.scroll.scrollTop + lanes.axis, bottom = this.scroll.scrollTop + this.height;
    if (lane.y < top) this.scroll.scrollTop = lane.y - lanes.axis;
    else if (lane.y + lane.height > bottom) this.scroll.scrollTop = lane.y + lane.height - this.height;
  }

  // ---- what is where

  laneAt(y) {
    y += this.scroll.scrollTop;
    return this.lanes[firstAbove(this.tops, y) - 1] ?? null;
  }

  at(x, y) {
    const lane = y < lanes.axis ? null : this.laneAt(y);
    if (!lane || y + this.scroll.scrollTop > lane.y + lane.height) return null;
    if (!lane.row) return { lane, index: -1 };
    return { lane, index: sliceAt(lane.row, this.view.from + x * this.scale, this.scale * (lane.kind === "event" ? 5 : 2)) };
  }

  below({ lane, index }, step = 1) {
    const other = this.lanes.find(l => l.thread === lane.thread && l.kind === "call" && l.depth === lane.depth + step);
    if (!other) return null;
    const { start, end } = lane.row, time = start[index];
    const found = step < 0 ? sliceAt(other.row, time + 0.5, 0) : firstAbove(other.row.end, time);
    return found >= 0 && found < other.row.count && (step < 0 || other.row.start[found] < end[index]) ? { lane: other, index: found } : null;
  }

  fn(hit) { return hit && hit.lane.kind === "call" && hit.index >= 0 ? this.app.trace.stacks.fn[hit.lane.row.item[hit.index]] : -1; }

  // ---- acting, called by Pointers and by the keys

  hover(x, y, clientX, clientY) {
    this.pointer = x;
    const hit = this.at(x, y);
    const before = this.hovered;
    this.hovered = hit && hit.index >= 0 ? hit : null;
    showTip(this.hovered && this.describe(this.hovered), clientX, clientY);
    if (before?.index !== this.hovered?.index || before?.lane !== this.hovered?.lane) this.app.redraw(this);
  }

  leave() {
    this.hovered = this.pointer = null;
    showTip(null);
    this.app.redraw(this);
  }

  click(x, y) {
    const hit = this.at(x, y);
    if (hit && hit.lane.kind === "head") this.fold(hit.lane.thread);
    else this.choose(hit && hit.index >= 0 ? hit : null);
  }

  doubleClick(x, y) {
    const hit = this.at(x, y);
    if (hit && hit.index >= 0) this.zoomTo(hit);
  }

  zoomTo({ lane, index }) { this.showSlice(lane.row.start[index], lane.row.end[index], lane); }

  fold(thread) {
    if (!this.folded.delete(thread)) this.folded.add(thread);
    this.layOut();
  }

  choose(hit) {
    this.chosen = hit;
    this.app.showDetails(hit);
    this.app.redraw(this);
  }

  // To a neighbour of the chosen slice: "before", "after", "caller" or "callee".
  go(where) {
    const hit = this.chosen ?? this.firstInView();
    if (!hit) return;
    const { lane, index } = hit;
    const next = !this.chosen ? hit
      : where === "caller" ? this.below(hit, -1)
      : where === "callee" ? this.below(hit)
      : { lane, index: Math.min(Math.max(index + (where === "after" ? 1 : -1), 0), lane.row.count - 1) };
    if (!next) return;
    this.choose(next);
    this.bringIntoView(next);
  }

  firstInView() {
    const lane = this.lanes.find(l => l.kind === "call");
    if (!lane) return null;
    const index = firstAbove(lane.row.end, this.view.from);
    return index < lane.row.count ? { lane, index } : null;
  }

  bringIntoView({ lane, index }) {
    const { start, end } = lane.row, { from, to } = this.view;
    this.reveal(lane);
    if (end[index] < from || start[index] > to) this.show(start[index] - (to - from) / 3, start[index] + (to - from) * 2 / 3);
    if (end[index] - start[index] < 3 * this.scale) this.zoomTo({ lane, index });
  }

  // A found call of a thread, which may be folded.
  showCall({ thread, depth, index }) {
    if (this.folded.delete(thread)) this.layOut();
    const lane = this.lanes.find(l => l.thread === thread && l.kind === "call" && l.depth === depth);
    if (!lane) return;
    this.choose({ lane, index });
    this.bringIntoView({ lane, index });
  }

  mark(x1, x2, done) {
    const [a, b] = [Math.min(x1, x2), Math.max(x1, x2)].map(x => this.view.from + Math.min(Math.max(x, 0), this.width) * this.scale);
    this.app.setRange(b - a > this.scale * 2 ? { from: a, to: b } : null, done);
  }

  describe(hit) {
    const { lane, index } = hit, { start, end, item, sure } = lane.row, trace = this.app.trace;
    const from = moment(start[index] - trace.from, Math.max(this.scale, 1)), time = end[index] - start[index];
    if (lane.kind === "event") return [...this.describeEvent(item[index] - 1, lane.row.extra(index)), `at ${from}`];
    if (lane.kind === "span") return [trace.spans[item[index]], `span of ${duration(time)} from ${from}${sure[index] >> 2 ? "; not ended" : ""}`];
    const self = selfTime(lane.row, index, lane.thread.rows[lane.depth + 1]), [name, ...where] = functionLines(trace, this.fn(hit));
    return [name + Reader.utf8.decode(lane.row.extra(index)), ...where, `${duration(time)}, ${duration(self)} of it self; from ${from}`, ...certainties(sure[index])];
  }

  describeEvent(type, data) {
    if (type >= 0) return [this.app.trace.types[type], ...eventText(data)];
    return [`${data.length ? count(Number(String.fromCharCode(...data))) : "an unknown number of"} events were lost here`];
  }

  // ---- drawing

  draw() {
    const { context, width, height } = this, top = this.scroll.scrollTop;
    context.fillStyle = theme.ground;
    context.fillRect(0, 0, width, height);
    this.drawGrid();
    const visible = this.lanes.filter(l => l.y + l.height > top + lanes.axis && l.y < top + height);
    const labels = this.drawRows(visible.filter(l => l.row), top);
    this.drawLabels(labels, top);
    for (const lane of visible) if (lane.kind === "head") this.drawHead(lane, lane.y - top);
    for (const hit of [this.hovered, this.chosen]) if (hit) this.outline(hit, hit === this.chosen ? theme.text : theme.accent, top);
    this.drawRange();
    this.drawAxis();
    this.map.draw();
  }

  // All rows as one picture with a line of pixels for each, which are then stretched to their places.
  drawRows(rows, top) {
    if (!rows.length) return [];
    const ratio = window.devicePixelRatio || 1, width = this.canvas.width, { app, context } = this;
    if (this.image?.width !== width || this.image.height < rows.length) this.makeImage(width, rows.length);
    const view = { from: this.view.from, scale: (this.view.to - this.view.from) / width };
    this.words.fill(0, 0, width * rows.length);
    const labels = rows.map((lane, i) => {
      const found = [];
      const colors = app.colors[lane.kind], wanted = lane.kind === "call" ? app.wantedStacks : null;
      paintRow(lane.row, view, colors, wanted, lane.kind === "event" ? 1 : 0.4, this.words, i * width, width, found, 26 * ratio);
      return { lane, found };
    });
    this.pixels.getContext("2d").putImageData(this.image, 0, 0, 0, 0, width, rows.length);
    context.imageSmoothingEnabled = false;
    rows.forEach((lane, i) => context.drawImage(this.pixels, 0, i, width, 1, 0, lane.y - top, this.width, lane.height - 1));
    return labels;
  }

  makeImage(width, rows) {
    const height = Math.ceil(rows * 1.2) + 8;
    Object.assign(this.pixels, { width, height });
    this.image = new ImageData(width, height);
    this.words = new Uint32Array(this.image.data.buffer);
  }

  drawLabels(labels, top) {
    const { context, app } = this, ratio = window.devicePixelRatio || 1;
    context.font = monospace;
    context.textBaseline = "middle";
    for (const { lane, found } of labels) {
      if (lane.height < 14) continue;
      for (let i = 0; i < found.length; i += 3) {
        const item = lane.row.item[found[i]], x = found[i + 1] / ratio, right = found[i + 2] / ratio;
        context.fillStyle = lane.kind === "call" && app.wantedStacks && !app.wantedStacks[item] ? theme.quiet : "#16191d";
        fitText(context, app.nameOf(lane.kind, item), x + 4, lane.y - top + lane.height / 2, right - x - 6);
      }
    }
  }

  drawHead({ thread }, y) {
    const { context, width } = this;
    context.fillStyle = theme.panel;
    context.fillRect(0, y, width, lanes.head - 1);
    context.fillStyle = theme.text;
    context.font = "12px system-ui, sans-serif";
    context.textBaseline = "middle";
    const hidden = thread.rows.length - lanes.mostRows;
    context.fillText(`${this.folded.has(thread) ? "▸" : "▾"} ${this.app.threadName(thread)}${hidden > 0 ? `, the ${count(hidden)} deepest levels not shown` : ""}`, 6, y + lanes.head / 2);
  }

  outline({ lane, index }, color, top) {
    if (!this.lanes.includes(lane)) return;
    const x = Math.max((lane.row.start[index] - this.view.from) / this.scale, -4);
    const right = Math.min((lane.row.end[index] - this.view.from) / this.scale, this.width + 4);
    this.context.strokeStyle = color;
    this.context.lineWidth = 2;
    this.context.strokeRect(x, lane.y - top, Math.max(right - x, 2), lane.height - 1);
  }

  drawGrid() {
    this.context.fillStyle = theme.line;
    this.ticks((x) => this.context.fillRect(x, 0, 1, this.height));
  }

  drawAxis() {
    const { context } = this;
    context.fillStyle = theme.panel;
    context.fillRect(0, 0, this.width, lanes.axis - 1);
    context.fillStyle = theme.quiet;
    context.font = monospace;
    context.textBaseline = "middle";
    this.ticks((x, time, step) => context.fillText(moment(time, step), x + 3, lanes.axis / 2));
    context.fillRect(0, lanes.axis - 1, this.width, 1);
  }

  // Calls back for each line of the grid. Times on it count from the trace's first event.
  ticks(draw) {
    const zero = this.app.trace.from, step = roundStep(this.scale * 120);
    for (let time = Math.ceil((this.view.from - zero) / step) * step; time + zero <= this.view.to; time += step)
      draw(Math.round((time + zero - this.view.from) / this.scale), time, step);
  }

  drawRange() {
    const { range } = this.app;
    if (!range) return;
    const { context, height, width } = this;
    const a = (range.from - this.view.from) / this.scale, b = (range.to - this.view.from) / this.scale;
    context.fillStyle = theme.ground;
    context.globalAlpha = 0.6;
    context.fillRect(0, 0, Math.min(Math.max(a, 0), width), height);
    context.fillRect(Math.min(Math.max(b, 0), width), 0, width, height);
    context.globalAlpha = 1;
    context.fillStyle = theme.accent;
    for (const x of [a, b]) context.fillRect(Math.round(x) - 1, 0, 2, height);
  }
}

function certainties(sure) {
  const begins = ["", "", "was under way when the log began or its function was switched on", ""][sure & 3];
  const ends = ["", "was left by an exception, a panic or longjmp", "had not ended when the log ended or its function was switched off", "ended in a tail call"][sure >> 2];
  return [begins, ends].filter(s => s);
}

// What a program gave with an event: as text if it is some, and as bytes.
function eventText(data) {
  if (!data.length) return [];
  const bytes = Array.from(data, b => b.toString(16).padStart(2, "0")).join(" ");
  const text = Array.from(data, b => String.fromCharCode(b)).join("").replace(/\0+$/, "");
  return /^[\x20-\x7e]+$/.test(text) ? [`"${text}"`] : [bytes];
}

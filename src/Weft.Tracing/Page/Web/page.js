// The page: what is chosen, and who must know.

class App {
  constructor(trace) {
    this.trace = trace;
    this.threads = trace.threads;
    this.range = this.wanted = this.wantedStacks = null;
    this.function = -1;
    this.pressed = new Set();
    this.stale = new Set(); // views to be drawn
    this.sum();
    this.paint();
    showHead(trace);
    this.timeline = new Timeline(this);
    this.flame = new Flame(this);
    this.table = new Table(this);
    listThreads(this);
    this.flame.layOut();
    this.table.fill();
    this.showDetails(null);
    this.listen();
  }

  // ---- what is chosen

  setThreads(threads) {
    this.threads = threads;
    this.timeline.choose(null);
    this.timeline.layOut();
    this.count();
  }

  // While a range is being dragged it is only shown.
  setRange(range, done = true) {
    this.range = range;
    element("clear-range").disabled = !range;
    element("range").textContent = range ? `Range: ${duration(range.to - range.from)} from ${moment(range.from - this.trace.from, Math.max((range.to - range.from) / 100, 1))}` : "";
    if (done) this.count();
    this.redraw(this.timeline);
  }

  count() {
    this.sum();
    this.flame.layOut();
    this.table.fill();
    this.tellFound();
  }

  sum() {
    this.sums = sumStacks(this.trace, this.threads, this.range);
    this.functions = sumFunctions(this.trace, this.sums);
  }

  search(text, expression) {
    this.function = -1;
    this.wrong = "";
    let matches = null;
    try {
      matches = text && matcher(text, expression);
    } catch {
      this.wrong = "not a regular expression";
    }
    this.want(matches ? Uint8Array.from(this.trace.functions, f => matches(f.name) ? 1 : 0) : null);
  }

  // Shows a function in the flame graph and the timeline, and its longest call among the details.
  chooseFunction(index) {
    if (this.function === index) return this.search("", false);
    element("search").value = this.trace.functions[index].name;
    element("expression").checked = false;
    this.function = index;
    this.wrong = "";
    this.want(Uint8Array.from(this.trace.functions, f => f === this.trace.functions[index] ? 1 : 0), false);
    this.showCall(index, (start, end, best) => !best || end - start > best.end - best.start);
  }

  want(wanted, filter = true) {
    this.wanted = filter ? wanted : null;
    this.highlighted = wanted;
    this.wantedStacks = wanted && Uint8Array.from(this.trace.stacks.fn, fn => fn >= 0 ? wanted[fn] : 0);
    this.paint();
    this.table.fill();
    this.tellFound();
    this.redrawAll();
  }

  tellFound() {
    const { highlighted } = this, found = element("found");
    found.classList.toggle("wrong", !!this.wrong);
    found.textContent = this.wrong || !highlighted ? this.wrong ?? "" :
      `${plural(highlighted.reduce((a, b) => a + b, 0), "function")}, ${percent(wantedShare(this.trace.stacks, this.sums.total, highlighted))} of the time`;
  }

  showCall(fn, better) {
    const found = findCall(this.trace, this.threads, fn, better);
    if (found) this.timeline.showCall(found);
  }

  nextCall(forward) {
    const { chosen } = this.timeline, fn = this.timeline.fn(chosen) >= 0 ? this.timeline.fn(chosen) : this.function;
    if (fn < 0) return;
    const from = chosen ? chosen.lane.row.start[chosen.index] : forward ? -1 : Infinity;
    if (forward) this.showCall(fn, (start, end, best) => start > from && (!best || start < best.start));
    else this.showCall(fn, (start, end, best) => start < from && (!best || start > best.start));
  }

  showDetails(hit) {
    const box = element("details");
    if (!hit) return box.replaceChildren("Click a call for its details; press ? for the keys.");
    const [name, ...lines] = this.timeline.describe(hit), fn = this.timeline.fn(hit);
    const act = (text, action) => {
      const button = make("button", { type: "button", textContent: text });
      button.addEventListener("click", action);
      return button;
    };
    const actions = [act("Zoom to it", () => this.timeline.zoomTo(hit)), act("Select its time", () => this.selectSlice())];
    if (fn >= 0) actions.push(act("Longest call", () => this.showCall(fn, (start, end, best) => !best || end - start > best.end - best.start)),
      act("Previous", () => this.nextCall(false)), act("Next", () => this.nextCall(true)), act("In the flame graph", () => this.flame.focus(hit.lane.row.item[hit.index])));
    box.replaceChildren(make("p", {}, make("strong", { textContent: name }), ...actions), make("p", { textContent: lines.join(" · ") }));
  }

  selectSlice() {
    const { chosen } = this.timeline;
    if (chosen) this.setRange({ from: chosen.lane.row.start[chosen.index], to: chosen.lane.row.end[chosen.index] });
  }

  // ---- looks

  threadName(thread) {
    const several = this.trace.threads.some(t => t.process !== thread.process);
    return `${thread.name || "thread"} ${thread.id}${several ? ` of process ${thread.process}` : ""} · ${plural(thread.calls, "call")}`;
  }

  nameOf(kind, item) {
    const { trace } = this;
    return kind === "call" ? trace.functions[trace.stacks.fn[item]].name : kind === "span" ? trace.spans[item] : "";
  }

  paint() {
    const { trace, wantedStacks, highlighted } = this;
    this.plain ??= trace.functions.map(f => colorOf(f.name));
    const functions = this.plain.map((color, fn) => highlighted && !highlighted[fn] ? faded(color) : color);
    const call = new Uint32Array(trace.stacks.count);
    for (let node = 1; node < call.length; node++) call[node] = functions[trace.stacks.fn[node]];
    const event = Uint32Array.from([0xff2020e0, ...trace.types.map(name => hsl(hash(name) % 360, 70, 50))]);
    this.colors = { call, event, span: Uint32Array.from(trace.spans, colorOf) };
    this.flameColors = functions.map(cssColor);
  }

  changeTheme() {
    readTheme();
    this.plain = null;
    this.paint();
    this.resize();
  }

  // Draws at once: a canvas that changes its size is empty, and paper does not wait for the next frame.
  resize() {
    this.timeline.resize();
    this.flame.layOut();
    this.timeline.draw();
    this.flame.draw();
  }

  // Draws once a frame, however many reasons there are.
  redraw(...views) {
    for (const view of views) this.stale.add(view);
    this.frame ??= requestAnimationFrame(now => {
      this.frame = null;
      this.moveByKeys(now);
      for (const view of this.stale) view.draw();
      this.stale.clear();
    });
  }

  redrawAll() { this.redraw(this.timeline, this.flame); }

  // ---- keys

  listen() {
    const { timeline } = this;
    const on = (id, action) => element(id).addEventListener("click", action);
    const search = () => this.search(element("search").value, element("expression").checked);
    element("search").addEventListener("input", search);
    element("expression").addEventListener("change", search);
    on("zoom-in", () => timeline.zoom(0.5));
    on("zoom-out", () => timeline.zoom(2));
    on("zoom-all", () => timeline.show(timeline.whole.from, timeline.whole.to));
    on("mark", () => this.toggleMarking());
    on("select-view", () => this.setRange({ ...timeline.view }));
    on("clear-range", () => this.setRange(null));
    on("help-button", () => element("help").showModal());
    document.addEventListener("keydown", e => this.keyDown(e));
    document.addEventListener("keyup", e => this.pressed.delete(e.key));
    window.addEventListener("blur", () => this.pressed.clear());
    document.addEventListener("pointerdown", e => {
      if (!element("threads").contains(e.target)) element("threads").open = false;
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.changeTheme());
    window.addEventListener("beforeprint", () => this.print(true));
    window.addEventListener("afterprint", () => this.print(false));
    const observer = new ResizeObserver(() => this.resize());
    observer.observe(timeline.scroll);
    observer.observe(this.flame.scroll);
  }

  // What is drawn must have the width of the paper before the browser lays the page out for it.
  print(begins) {
    document.documentElement.classList.toggle("printing", begins);
    this.changeTheme();
  }

  toggleMarking() {
    this.timeline.marking = !this.timeline.marking;
    element("mark").setAttribute("aria-pressed", String(!!this.timeline.marking));
    this.timeline.canvas.classList.toggle("marking", this.timeline.marking);
  }

  keyDown(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || element("help").open) return;
    const typing = event.target.matches("input[type=search]");
    if (event.key === "Escape") {
      if (typing) event.target.blur();
      else this.escape();
    } else if (!typing && this.key(event.key, event.target)) event.preventDefault();
  }

  // From the last thing done to the first.
  escape() {
    if (element("threads").open) element("threads").open = false;
    else if (this.flame.back()) return;
    else if (this.highlighted || this.wrong) {
      element("search").value = "";
      this.search("", false);
    } else if (this.range) this.setRange(null);
    else this.timeline.choose(null);
  }

  key(key, target) {
    if (target === this.flame.canvas && this.flame.key(key)) return true;
    if (target === this.timeline.canvas && this.timelineKey(key)) return true;
    const { timeline } = this;
    const action = {
      "/": () => element("search").focus(),
      "?": () => element("help").showModal(),
      "0": () => timeline.show(timeline.whole.from, timeline.whole.to),
      r: () => this.setRange({ ...timeline.view }),
      n: () => this.nextCall(true),
      p: () => this.nextCall(false),
      f: () => timeline.chosen && timeline.zoomTo(timeline.chosen),
      m: () => this.selectSlice(),
      h: () => timeline.go("before"),
      l: () => timeline.go("after"),
      k: () => timeline.go("caller"),
      j: () => timeline.go("callee"),
      Backspace: () => this.flame.back(),
    }[key];
    if (action) action();
    else if ("wasd".includes(key)) this.press(key);
    else return false;
    return true;
  }

  timelineKey(key) {
    const { timeline } = this;
    if (key === "ArrowUp" || key === "ArrowDown") timeline.scroll.scrollTop += (key === "ArrowUp" ? -2 : 2) * lanes.row;
    else if (key === "ArrowLeft" || key === "ArrowRight") this.press(key);
    else if (key === "Enter" && timeline.chosen) timeline.zoomTo(timeline.chosen);
    else return false;
    return true;
  }

  press(key) {
    if (this.pressed.has(key)) return;
    this.pressed.add(key);
    this.moved = null;
    this.redraw();
  }

  // Moves as long as a key is down; a short press is a step.
  moveByKeys(now) {
    if (!this.pressed.size) return;
    const elapsed = this.moved === null ? 50 : Math.min(now - this.moved, 100);
    this.moved = now;
    const { timeline, pressed } = this, has = (...keys) => keys.some(k => pressed.has(k));
    const zoom = (has("s") ? 1 : 0) - (has("w") ? 1 : 0), pan = (has("d", "ArrowRight") ? 1 : 0) - (has("a", "ArrowLeft") ? 1 : 0);
    if (zoom) timeline.zoom(Math.exp(zoom * elapsed * 0.004));
    if (pan) timeline.pan(pan * elapsed * timeline.width / 1200);
    this.redraw();
  }
}

function showHead(trace) {
  const name = trace.program.split("/").pop() || "Trace";
  document.title = `${name} – Weft trace`;
  element("program").textContent = name;
  element("command").textContent = trace.arguments.length ? trace.arguments.map(quoted).join(" ") : trace.program;
  element("facts").textContent = [
    trace.started ? new Date(trace.started).toLocaleString() : "",
    duration(trace.to - trace.from),
    plural(trace.threads.length, "thread"),
    plural(trace.calls, "call"),
    plural(trace.functions.length, "function"),
  ].filter(s => s).join(" · ");
  list("complaints", trace.complaints, `The trace has ${trace.complaints.length === 1 ? "a flaw" : trace.complaints.length + " flaws"}`);
  list("remarks", trace.remarks);
  list("notes", trace.notes.map(({ time, text }) => `${moment(time - trace.from, 1000)}: ${text}`));
  element("shown").textContent = trace.shortestCall ? `calls of ${duration(trace.shortestCall)} or more` : "";
  element("complaints").open = trace.complaints.length === 1;
}

function list(id, texts, title) {
  element(id).hidden = !texts.length;
  if (title) element(id).querySelector("summary").textContent = title;
  element(id).querySelector("ul").replaceChildren(...texts.map(text => make("li", { textContent: text })));
}

function quoted(argument) { return /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`; }

function listThreads(app) {
  const boxes = app.trace.threads.map(() => make("input", { type: "checkbox", checked: true }));
  const apply = () => {
    const threads = app.trace.threads.filter((_, i) => boxes[i].checked);
    element("threads").querySelector("summary").textContent = threads.length === boxes.length ? `Threads (${boxes.length})` : `Threads (${threads.length} of ${boxes.length})`;
    if (threads.length !== app.threads.length || threads.some((t, i) => t !== app.threads[i])) app.setThreads(threads);
  };
  const all = checked => () => {
    for (const box of boxes) box.checked = checked;
    apply();
  };
  element("threads").querySelector("ul").append(...boxes.map((box, i) => make("li", {}, make("label", {}, box, " " + app.threadName(app.trace.threads[i])))));
  element("threads").addEventListener("change", apply);
  element("all-threads").addEventListener("click", all(true));
  element("no-threads").addEventListener("click", all(false));
  apply();
}

async function start() {
  const busy = element("busy");
  try {
    const data = element("data");
    const trace = decode(await inflate(fromBase64(data.textContent)));
    data.remove(); // the text is not needed any more
    readTheme();
    new App(trace);
    busy.hidden = true;
  } catch (error) {
    busy.textContent = `This trace cannot be shown: ${error.message}`;
    throw error;
  }
}

if (typeof document !== "undefined") start();

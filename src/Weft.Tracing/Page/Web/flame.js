// The flame graph: stacks of the chosen threads and range, merged; callers above their callees.

const flameRow = 19;

class Flame {
  constructor(app) {
    this.app = app;
    this.canvas = element("flame");
    this.scroll = this.canvas.parentElement;
    this.spacer = this.scroll.querySelector(".spacer");
    this.path = [0]; // what was zoomed to, one after the other
    this.chosen = this.hovered = null;
    this.rows = [];
    this.scroll.addEventListener("scroll", () => app.redraw(this));
    this.canvas.addEventListener("pointermove", e => this.hover(e));
    this.canvas.addEventListener("pointerleave", () => this.leave());
    this.canvas.addEventListener("click", e => this.click(e));
    element("flame-back").addEventListener("click", () => this.back());
    element("flame-all").addEventListener("click", () => this.focus(0));
  }

  get width() { return this.scroll.clientWidth; }

  get focused() { return this.path[this.path.length - 1]; }

  layOut() {
    const { app } = this;
    if (!app.sums.total[this.focused]) this.path = [0];
    this.rows = layFlames(app.trace.stacks, app.sums.total, this.focused, this.width);
    this.context = fitCanvas(this.canvas, this.width, this.scroll.clientHeight);
    this.spacer.style.height = Math.max(this.rows.length * flameRow + 4 - this.scroll.clientHeight, 0) + "px";
    this.tell();
    element("flame-back").disabled = this.path.length === 1;
    element("flame-all").disabled = this.focused === 0;
    element("focus").textContent = this.focused ? this.name(this.focused) : "";
    app.redraw(this);
  }

  name(node) { return node ? this.app.trace.functions[this.app.trace.stacks.fn[node]].name : "all"; }

  focus(node) {
    if (node === this.focused) return;
    if (node === 0) this.path = [0];
    else this.path.push(node);
    this.chosen = node;
    this.layOut();
  }

  // Whether there was something to go back from.
  back() {
    if (this.path.length === 1) return false;
    this.chosen = this.path.pop();
    this.layOut();
    return true;
  }

  at(event) {
    const box = this.canvas.getBoundingClientRect(), row = this.rows[Math.floor((event.clientY - box.top + this.scroll.scrollTop) / flameRow)];
    return row ? boxAt(row, event.clientX - box.left) : null;
  }

  hover(event) {
    const box = this.at(event);
    showTip(box && this.describe(box.node), event.clientX, event.clientY);
    if (box?.node === this.hovered?.node) return;
    this.hovered = box;
    this.app.redraw(this);
  }

  leave() {
    this.hovered = null;
    showTip(null);
    this.app.redraw(this);
  }

  click(event) {
    const box = this.at(event);
    if (!box) return;
    if (box.node === this.focused) this.back();
    else this.focus(box.node);
  }

  describe(node) {
    const { sums, trace } = this.app, whole = sums.total[0] || 1;
    if (!node) return [`all stacks: ${duration(sums.total[0])}`];
    const total = sums.total[node], self = sums.self[node];
    return [...functionLines(trace, trace.stacks.fn[node]), plural(sums.calls[node], "call"),
      `total ${duration(total)}, ${percent(total / whole)}`, `self ${duration(self)}, ${percent(self / whole)}`];
  }

  tell() { element("flame-details").textContent = this.chosen === null ? "" : this.describe(this.chosen).join(" · "); }

  // Whether the key was for the flame graph.
  key(name) {
    if (name === "Backspace") return this.back();
    if (name === "Enter" || name === " ") this.focus(this.chosen ?? 0);
    else if (name.startsWith("Arrow")) this.chosen = this.neighbour(name);
    else return false;
    this.reveal();
    this.tell();
    this.app.redraw(this);
    return true;
  }

  neighbour(name) {
    const { parent, depth } = this.app.trace.stacks, node = this.chosen ?? this.focused, level = depth[node] + 1;
    const row = this.rows[level] ?? [], index = row.findIndex(box => box.node === node);
    if (index < 0) return this.focused;
    const next = {
      ArrowUp: () => ({ node: parent[node] }),
      ArrowDown: () => this.rows[level + 1]?.find(box => parent[box.node] === node),
      ArrowLeft: () => row[index - 1],
      ArrowRight: () => row[index + 1],
    }[name]();
    return next ? next.node : node;
  }

  reveal() {
    const y = (this.app.trace.stacks.depth[this.chosen] + 1) * flameRow;
    if (y < this.scroll.scrollTop) this.scroll.scrollTop = y;
    else if (y + flameRow > this.scroll.scrollTop + this.scroll.clientHeight) this.scroll.scrollTop = y + flameRow - this.scroll.clientHeight;
  }

  draw() {
    const { context, rows } = this, height = this.scroll.clientHeight, top = this.scroll.scrollTop;
    if (!context) return;
    context.fillStyle = theme.ground;
    context.fillRect(0, 0, this.width, height);
    context.font = monospace;
    context.textBaseline = "middle";
    const first = Math.floor(top / flameRow), last = Math.min(rows.length, Math.ceil((top + height) / flameRow));
    for (let depth = first; depth < last; depth++)
      for (const box of rows[depth]) this.drawBox(box, depth * flameRow - top);
  }

  drawBox({ node, x, width }, y) {
    const { context, app } = this, { wantedStacks } = app;
    const marked = node === this.chosen || node === this.hovered?.node;
    context.fillStyle = node ? app.flameColors[app.trace.stacks.fn[node]] : theme.panel;
    context.fillRect(x, y, Math.max(width - (width > 3 ? 1 : 0.3), 0.5), flameRow - 1);
    if (marked) {
      context.strokeStyle = theme.text;
      context.lineWidth = node === this.chosen ? 2 : 1;
      context.strokeRect(x + 1, y + 1, Math.max(width - 3, 1), flameRow - 3);
    }
    if (width < 24) return;
    const faint = wantedStacks && !wantedStacks[node];
    context.fillStyle = !node ? theme.text : faint ? theme.quiet : "#16191d";
    const share = app.sums.total[node] / (app.sums.total[0] || 1);
    fitText(context, node ? this.name(node) : `all · ${duration(app.sums.total[0])}`, x + 4, y + flameRow / 2, width - 8);
    if (node && width > 300 && !faint) this.drawShare(percent(share), x, y, width, this.name(node));
  }

  drawShare(text, x, y, width, name) {
    const advance = fitText.advance;
    if ((name.length + text.length + 4) * advance < width) this.context.fillText(text, x + width - text.length * advance - 6, y + flameRow / 2);
  }
}

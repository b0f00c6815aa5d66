// How deep the stacks are over the whole trace, and which part the timeline shows.
class TimelineMap {
  constructor(timeline) {
    this.timeline = timeline;
    this.canvas = element("map");
    for (const type of ["pointerdown", "pointermove", "pointerup", "pointercancel"]) this.canvas.addEventListener(type, e => this.pointer(e));
    this.canvas.addEventListener("wheel", e => {
      e.preventDefault();
      timeline.zoom(Math.exp(wheelSteps(e).y * 0.002), timeline.width / 2);
    }, { passive: false });
  }

  resize() {
    this.context = fitCanvas(this.canvas, this.canvas.clientWidth, 44);
    this.bins = null;
  }

  get scale() { return (this.timeline.whole.to - this.timeline.whole.from) / Math.max(this.canvas.clientWidth, 1); }

  depths() {
    const bins = new Float64Array(this.canvas.clientWidth);
    for (const thread of this.timeline.app.threads)
      for (const row of thread.rows) addCoverage(row, this.timeline.whole.from, this.scale, bins);
    return bins;
  }

  draw() {
    const { context, timeline, scale } = this, width = this.canvas.clientWidth, { whole, view } = timeline;
    this.bins ??= this.depths();
    const most = this.bins.reduce((a, b) => Math.max(a, b), 1);
    context.clearRect(0, 0, width, 44);
    context.fillStyle = theme.quiet;
    this.bins.forEach((depth, x) => context.fillRect(x, 44 - depth / most * 40, 1, depth / most * 40));
    const x = (view.from - whole.from) / scale, w = Math.max((view.to - view.from) / scale, 2);
    context.globalAlpha = 0.65;
    context.fillStyle = theme.ground;
    context.fillRect(0, 0, x, 44);
    context.fillRect(x + w, 0, width, 44);
    context.globalAlpha = 1;
    context.strokeStyle = theme.accent;
    context.lineWidth = 2;
    context.strokeRect(x + 1, 1, Math.max(w - 2, 1), 42);
    const { range } = timeline.app;
    if (range) {
      context.fillStyle = theme.accent;
      context.fillRect((range.from - whole.from) / scale, 40, Math.max((range.to - range.from) / scale, 2), 4);
    }
  }

  pointer(event) {
    const { timeline } = this, x = event.clientX - this.canvas.getBoundingClientRect().left, time = timeline.whole.from + x * this.scale;
    if (event.type === "pointerdown") {
      this.canvas.setPointerCapture(event.pointerId);
      this.from = time;
      this.marking = event.shiftKey;
    } else if (event.type !== "pointermove") {
      if (this.marking && this.from !== undefined && time !== this.from) this.mark(time, true);
      this.from = undefined;
    }
    if (this.from === undefined) return;
    if (this.marking) this.mark(time, false);
    else {
      const half = (timeline.view.to - timeline.view.from) / 2;
      timeline.show(time - half, time + half);
    }
  }

  mark(time, done) {
    const { whole, app } = this.timeline;
    app.setRange({ from: Math.max(Math.min(time, this.from), whole.from), to: Math.min(Math.max(time, this.from), whole.to) }, done);
  }
}

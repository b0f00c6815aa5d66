// Mouse, pen and fingers on the timeline: one moves, or marks a range; two zoom.
class Pointers {
  constructor(canvas, timeline) {
    Object.assign(this, { canvas, timeline, down: new Map(), gesture: null });
    for (const type of ["pointerdown", "pointermove", "pointerup", "pointercancel"]) canvas.addEventListener(type, e => this[type](e));
    canvas.addEventListener("pointerleave", () => timeline.leave());
    canvas.addEventListener("dblclick", e => timeline.doubleClick(...this.place(e)));
    canvas.addEventListener("wheel", e => this.wheel(e), { passive: false });
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  pointerdown(event) {
    if (event.button) return;
    this.canvas.setPointerCapture(event.pointerId);
    const [x, y] = this.place(event);
    this.down.set(event.pointerId, { x, y });
    const marking = event.shiftKey || this.timeline.marking;
    this.gesture = this.down.size > 1 ? "pinch" : marking ? "mark" : "press";
    this.begin = { x, y };
    showTip(null);
  }

  pointermove(event) {
    const [x, y] = this.place(event), last = this.down.get(event.pointerId);
    if (!last) return this.timeline.hover(x, y, event.clientX, event.clientY);
    if (this.gesture === "press" && Math.hypot(x - this.begin.x, y - this.begin.y) > 4) this.drag();
    if (this.gesture === "pan") this.pan(last.x - x, last.y - y, event.pointerType);
    else if (this.gesture === "mark") this.timeline.mark(this.begin.x, x, false);
    else if (this.gesture === "pinch") this.pinch(event.pointerId, last, x);
    if (this.gesture !== "press") this.down.set(event.pointerId, { x, y });
  }

  drag() {
    this.gesture = "pan";
    this.canvas.classList.add("dragging");
  }

  pan(dx, dy, type) {
    this.timeline.pan(dx);
    if (type !== "touch") this.timeline.scroll.scrollTop += dy; // a browser scrolls itself for fingers
  }

  pinch(id, last, x) {
    const other = [...this.down].find(([key]) => key !== id)?.[1];
    if (!other) return;
    const before = Math.max(Math.abs(last.x - other.x), 10), after = Math.max(Math.abs(x - other.x), 10);
    this.timeline.zoom(before / after, (x + other.x) / 2);
    this.timeline.pan((last.x - x) / 2);
  }

  pointerup(event) {
    const [x, y] = this.place(event);
    if (this.gesture === "press" && this.down.has(event.pointerId)) this.timeline.click(x, y);
    if (this.gesture === "mark") this.timeline.mark(this.begin.x, x, true);
    this.pointercancel(event);
  }

  pointercancel(event) {
    this.down.delete(event.pointerId);
    this.gesture = this.down.size ? "pan" : null;
    this.canvas.classList.remove("dragging");
  }

  wheel(event) {
    event.preventDefault();
    const { x, y } = wheelSteps(event), [at] = this.place(event);
    if (event.shiftKey || Math.abs(x) > Math.abs(y)) this.timeline.pan(x || y);
    else if (event.altKey) this.timeline.scroll.scrollTop += y;
    else this.timeline.zoom(Math.exp(y * (event.ctrlKey ? 0.01 : 0.0018)), at);
  }
}

function wheelSteps(event) {
  const line = event.deltaMode === 1 ? 30 : event.deltaMode === 2 ? 400 : 1;
  return { x: event.deltaX * line, y: event.deltaY * line };
}

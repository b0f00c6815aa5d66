// One source file: its code, its functions, and the way from one missing region to the next.

class FileView {
  constructor(app, file, data) {
    Object.assign(this, { app, file, path: file.path });
    this.model = new FileModel(data);
    this.apart = false;
    this.target = 0;
    this.current = -1;
    this.details = new Details(this);
    this.showHead();
    this.code = new CodeView(this, element("code"));
    this.functions = new FunctionList(this);
    this.tellPosition();
    this.say("");
    this.drawStrip();
  }

  close() { this.code.close(); }

  showHead() {
    const { file, model } = this;
    const sum = kind => make("span", { className: `sum${kind === "lines" ? "" : " rare"}`, title: ofText(file[kind], kindNames[kind].toLowerCase()) }, make("span", { className: "name" }, kindNames[kind]), make("b", {}, percent(file[kind])), bar(file[kind]));
    element("sums").replaceChildren(...kinds.filter(kind => file[kind][1]).map(sum));
    const note = element("file-note");
    note.textContent = { gone: "The source could not be read when this page was made: counts without text.", changed: "The source is newer than the program: what did not run may be marked at wrong places." }[model.state] ?? "";
    note.hidden = !note.textContent;
    element("apart").hidden = !model.functions.some(f => f.instances.length > 1);
    element("apart").setAttribute("aria-pressed", "false");
  }

  goTo(line, focus = true) {
    const before = this.target;
    this.target = Math.min(line, this.model.count);
    if (before) this.code.refresh(before);
    if (!this.target) return;
    this.code.refresh(this.target);
    this.code.scrollTo(this.target);
    if (focus) element("code").focus({ preventScroll: true });
    this.current = this.model.missing.findLastIndex(m => m.line < this.target);
    this.tellPosition();
  }

  // ---- missing regions

  step(step) {
    const { missing } = this.model;
    if (!missing.length) return this.say("Nothing is missing in this file.");
    const next = this.current + step;
    if (next < 0 || next >= missing.length) return this.say(step > 0 ? "That was the last missing region; n goes to the next file." : "That was the first missing region; p goes to the file before.");
    this.current = next;
    const stretch = missing[next];
    this.code.scrollTo(stretch.line);
    element("code").querySelectorAll(".current").forEach(part => part.classList.remove("current"));
    for (const part of this.code.parts(stretch.line, stretch.segment, stretch.last)) part.classList.add("current");
    this.tellPosition();
    this.say(this.describe(stretch.segment, stretch).join(" · "));
  }

  tellPosition() {
    const { length } = this.model.missing;
    element("position").textContent = !length ? "nothing missing" : this.current < 0 ? `${exact(length)} missing` : `${exact(this.current + 1)} of ${exact(length)} missing`;
    element("previous").disabled = element("next").disabled = !length;
  }

  say(text) { element("info").textContent = text || "Point at code for its counts, or press j for what is missing and ? for help."; }

  // ---- what is known of a place

  describe(segment, stretch) {
    const { model } = this, [line, column, count] = model.spans.segments[segment], next = model.spans.segments[segment + 1];
    const [endLine, endColumn] = stretch ? [stretch.endLine, stretch.endColumn] : next ?? [line, column];
    const place = line < endLine ? `lines ${line} to ${endLine}` : endColumn - 1 > column ? `line ${line}, columns ${column} to ${endColumn - 1}` : `line ${line}, column ${column}`;
    const kind = model.elses.get(segment), fn = model.functionAt(line, column);
    const ran = ranText(kind, count);
    const lines = [`${ran[0].toUpperCase()}${ran.slice(1)}: ${place}`];
    if (fn) lines.push(fn.unused ? `${fn.name}: ${unusedText(fn)}` : fn.count === 0 ? `${fn.name}: never called` : `in ${fn.name}, called ${times(fn.count)}`);
    const counts = model.instanceCounts(segment);
    for (const { name, count, unused } of counts.slice(0, 12)) lines.push(`${name}: ${unused ? unusedText({ name }) : count === null ? "not in it" : times(count)}`);
    if (counts.length > 12) lines.push(`and ${counts.length - 12} more instantiations`);
    return lines;
  }

  // ---- functions

  choose(f, instance) {
    this.model.choose(f, instance);
    this.code.refresh(f.at[0], f.at[2]);
    this.current = -1;
    this.tellPosition();
    this.functions.fill();
    this.drawStrip();
  }

  setApart(apart) {
    this.apart = apart;
    element("apart").setAttribute("aria-pressed", String(apart));
    for (const f of this.model.functions.filter(f => f.instances.length > 1)) {
      const key = `${f.at[0]} function ${f.index}`;
      if (apart) this.details.open.add(key);
      else {
        this.details.open.delete(key);
        if (f.chosen >= 0) this.choose(f, -1);
      }
      this.code.refresh(f.at[0]);
    }
    this.functions.fill();
  }

  showFunction(f, instance) {
    if (instance >= 0 || f.chosen >= 0) this.choose(f, instance);
    if (window.innerWidth <= 1100) this.app.showFunctions(false);
    this.app.go(this.path, f.at[0]);
    const i = f.chosen >= 0 ? f.instances[f.chosen] : f.instances.length === 1 ? f.instances[0] : null;
    this.say(`${i?.name ?? f.name} · ${f.unused ? unusedText(f) : `called ${times(i?.count ?? f.count)}`} · ${ofText((i?.lines ? i : f).lines, "lines")} · ${ofText((i?.regions ? i : f).regions, "regions")}`);
  }

  // ---- the strip beside the code: all of the file at once

  drawStrip() {
    const canvas = element("strip"), { width, height } = canvas.getBoundingClientRect(), ratio = window.devicePixelRatio || 1, pane = element("code");
    if (!height) return;
    this.stripScale = Math.min(height / this.model.count, 4);
    Object.assign(canvas, { width: width * ratio, height: height * ratio });
    const context = canvas.getContext("2d"), whole = Math.max(pane.scrollHeight, 1), part = this.model.count * this.stripScale;
    context.scale(ratio, ratio);
    context.fillStyle = colorOf("--track");
    context.fillRect(0, pane.scrollTop / whole * part, width, Math.max(pane.clientHeight / whole * part, 8));
    for (const { state, y, height: tall } of this.stripMarks(this.stripScale)) {
      context.fillStyle = colorOf(state === "missing" ? "--low" : "--middle");
      if (state === "missing") context.fillRect(2, y, width - 4, tall);
      else context.fillRect(width / 2, y, width / 2 - 2, tall);
    }
  }

  // Lines that fall on one place are one mark; the worst of them counts.
  stripMarks(scale) {
    const { spans } = this.model;
    if (this.marksOf?.segments === spans.segments && this.marksOf.scale === scale) return this.marksOf.marks;
    const places = new Map();
    for (const line of spans.lineCounts.keys()) {
      const state = this.model.stateOf(line), y = Math.floor((line - 1) * scale);
      if (state === "missing" || state === "partial" && !places.has(y)) places.set(y, state);
    }
    const marks = [...places].map(([y, state]) => ({ state, y, height: Math.max(scale, 2) }));
    this.marksOf = { segments: spans.segments, scale, marks };
    return marks;
  }

  stripTo(y) { this.code.scrollTo(Math.min(Math.max(Math.ceil(y / this.stripScale), 1), this.model.count)); }
}

function ranText(kind, count) {
  if (kind === "else") return count === 0 ? "the condition was never false" : `the condition was false ${times(count)}`;
  if (kind === "end") return `the end of the function was reached ${times(count)}`;
  if (kind === "return") return `returned early ${times(count)}`;
  return count === 0 ? "did not run" : `ran ${times(count)}`;
}

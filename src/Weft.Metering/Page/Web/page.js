// The page: everything that comes from the report is put in as text.

const element = id => document.getElementById(id);

function make(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

const cell = (text, isNumber = false) => make("td", { className: isNumber ? "n" : "", textContent: text });

function showHead({ program, pid, total, stopped, threads }) {
  const name = program.split("/").pop() || "?";
  document.title = `${name} – metering`;
  element("program").textContent = name;
  element("facts").textContent = [program, `process ${pid}`, `${exact(total)} units`,
    ...(stopped ?? []).map(([scope, limit]) => scope === "program" ? "stopped by itself" : `stopped at the ${scope}'s limit of ${exact(limit)} units`)].join(" · ");
  element("threads").hidden = threads.length < 2;
  element("threads").querySelector("summary").textContent = `${threads.length} threads`;
  element("threads").querySelector("tbody").append(...threads.map(([index, thread, units, ended]) =>
    make("tr", {}, cell(exact(units), true), cell(percent(units, total), true), cell(`${index} ${thread}${ended ? "" : " (running)"}`))));
}

class Flame {
  constructor(report) {
    this.report = report;
    element("flames").hidden = !report.hasCalls;
    element("flame-all").addEventListener("click", () => this.show(report.stacks[0]));
    this.show(report.stacks[0]);
  }

  show(focus) {
    const { stacks } = this.report;
    this.focus = focus;
    element("flame-all").disabled = focus === stacks[0];
    element("focus").textContent = focus === stacks[0] ? "" : focus.name;
    const boxes = layOut(stacks, focus), deepest = boxes.reduce((most, { stack }) => Math.max(most, stack.depth), 0);
    element("flame").style.height = `${(deepest + 1) * 19}px`;
    element("flame").replaceChildren(...boxes.map(box => this.box(box)));
  }

  box({ stack, x, width }) {
    const box = make("button", { type: "button", textContent: width > 0.01 ? stack.name : "", className: stack.depth ? "" : "all" });
    Object.assign(box.style, { left: `${x * 100}%`, width: `${width * 100}%`, top: `${stack.depth * 19}px` });
    box.style.setProperty("--hue", hueOf(stack.name));
    box.setAttribute("aria-label", this.describe(stack));
    for (const event of ["pointerenter", "focus"]) box.addEventListener(event, () => { element("flame-details").textContent = this.describe(stack); });
    box.addEventListener("click", () => this.show(stack === this.focus ? this.report.stacks[Math.max(stack.parent, 0)] : stack));
    return box;
  }

  describe({ name, total, self, calls, depth }) {
    const whole = this.report.stacks[0].total;
    return depth ? `${name} · ${exact(total)} units (${percent(total, whole)}) · itself ${exact(self)} · ${exact(calls)} calls` : `all · ${exact(total)} units`;
  }
}

class Table {
  constructor(report) {
    this.report = report;
    this.columns = [{ key: "self", title: "Units" }, ...(report.hasCalls ? [{ key: "inclusive", title: "Inclusive" }, { key: "calls", title: "Calls" }] : []), { key: "name", title: "Function" }];
    [this.key, this.down, this.limit] = ["self", true, 200];
    this.heads = this.columns.map(column => this.head(column));
    element("functions").tHead.rows[0].append(...this.heads);
    element("search").addEventListener("input", () => this.fill());
    element("more-rows").addEventListener("click", () => {
      this.limit *= 5;
      this.fill();
    });
    this.fill();
  }

  head({ key, title }) {
    const button = make("button", { type: "button", textContent: title });
    button.addEventListener("click", () => {
      [this.key, this.down] = [key, key === this.key ? !this.down : key !== "name"];
      this.fill();
    });
    return make("th", { scope: "col", className: key === "name" ? "" : "n" }, button);
  }

  fill() {
    const wanted = element("search").value.toLowerCase();
    const found = sorted(this.report.functions.filter(f => f.name.toLowerCase().includes(wanted)), this.key, this.down);
    element("functions").tBodies[0].replaceChildren(...found.slice(0, this.limit).map(f => this.row(f)));
    this.heads.forEach((head, i) => head.setAttribute("aria-sort", this.columns[i].key !== this.key ? "none" : this.down ? "descending" : "ascending"));
    element("rows").textContent = `${exact(found.length)} of ${exact(this.report.functions.length)}`;
    element("more-rows").hidden = found.length <= this.limit;
  }

  row(f) {
    const numbers = this.columns.slice(0, -1).map(({ key }) => cell(key === "calls" ? exact(f.calls) : `${exact(f[key])}  ${percent(f[key], this.report.total)}`, true));
    const where = f.file ? `${f.file}:${f.line}` : f.module;
    return make("tr", {}, ...numbers, make("td", { title: f.symbol }, f.name, " ", make("span", { className: "where", textContent: where })));
  }
}

function showSources({ files, total }) {
  element("sources").hidden = !files.length;
  for (const [path, lines] of files) {
    const units = lines.reduce((sum, [, u]) => sum + Number(u), 0);
    const shown = make("details", {}, make("summary", { textContent: `${path} · ${percent(units, total)}` }));
    shown.addEventListener("toggle", () => { if (shown.open && !shown.querySelector("table")) shown.append(code(lines)); });
    element("sources").append(shown);
  }
  const first = element("sources").querySelector("details");
  if (first) first.open = true;
}

function code(lines) {
  const most = lines.reduce((most, [, units]) => Math.max(most, Number(units)), 1);
  const rows = lines.map(([line, units, text], i) => {
    const row = make("tr", { className: i && line > lines[i - 1][0] + 1 ? "gap" : "" }, cell(Number(units) ? exact(units) : "", true), cell(line, true), cell(text));
    row.firstChild.classList.add("hot");
    row.firstChild.style.setProperty("--heat", Number(units) / most);
    return row;
  });
  return make("table", { className: "code" }, make("tbody", {}, ...rows));
}

async function start() {
  const busy = element("busy");
  try {
    const report = await unpack(element("data").textContent);
    element("data").remove(); // the text is not needed any more
    showHead(report);
    new Flame(report);
    new Table(report);
    showSources(report);
    busy.hidden = true;
  } catch (error) {
    busy.textContent = `This report cannot be shown: ${error.message}`;
    throw error;
  }
}

if (typeof document !== "undefined") start();

// The table of functions, and that of spans.

const columns = [
  { key: "name", title: "Function", down: false },
  { key: "calls", title: "Calls", show: count },
  { key: "total", title: "Total", show: duration },
  { key: "share", title: "%", show: percent, rare: true },
  { key: "self", title: "Self", show: duration },
  { key: "average", title: "Average", show: duration },
  { key: "longest", title: "Max", show: duration },
];

class Table {
  constructor(app) {
    this.app = app;
    this.body = element("functions").tBodies[0];
    this.limit = 100;
    this.order = { key: "self", down: true };
    element("more-rows").addEventListener("click", () => {
      this.limit *= 5;
      this.fill();
    });
    this.heads = columns.map(column => this.head(column));
    element("functions").tHead.rows[0].append(...this.heads);
    const titles = ["Span", "Count", "Total", "Average", "Max"];
    element("spans").querySelector("tr").append(...titles.map((title, i) => make("th", { scope: "col", className: i ? "n" : "", textContent: title })));
  }

  head(column) {
    const button = make("button", { type: "button", textContent: column.title });
    button.addEventListener("click", () => {
      this.order = { key: column.key, down: this.order.key === column.key ? !this.order.down : column.down ?? true };
      this.fill();
    });
    return make("th", { scope: "col", className: className(column) }, button);
  }

  fill() {
    const { app } = this, { key, down } = this.order, sign = down ? -1 : 1;
    const all = app.functions.filter(f => !app.wanted || app.wanted[f.index]);
    for (const f of all) Object.assign(f, { average: f.each / f.calls, share: f.total / (app.sums.total[0] || 1) });
    all.sort((a, b) => sign * (key === "name" ? a.name < b.name ? -1 : a.name > b.name ? 1 : 0 : a[key] - b[key]));
    this.body.replaceChildren(...all.slice(0, this.limit).map(f => this.row(f)));
    this.heads.forEach((head, i) => head.setAttribute("aria-sort", columns[i].key !== key ? "none" : down ? "descending" : "ascending"));
    element("more-rows").hidden = all.length <= this.limit;
    element("rows").textContent = `${plural(all.length, "function")}${all.length < app.functions.length ? ` of ${count(app.functions.length)}` : ""}${app.range ? " in the range" : ""}`;
    this.fillSpans();
  }

  row(f) {
    const name = make("button", { type: "button", textContent: f.name, title: functionLines(this.app.trace, f.index).join("\n") });
    name.addEventListener("click", () => this.app.chooseFunction(f.index));
    const numbers = columns.slice(1).map(c => make("td", { className: className(c), textContent: c.show(f[c.key]) }));
    return make("tr", { className: f.index === this.app.function ? "chosen" : "" }, make("td", {}, name), ...numbers);
  }

  fillSpans() {
    const spans = sumSpans(this.app.trace, this.app.threads, this.app.range).sort((a, b) => b.total - a.total);
    element("spans").hidden = !spans.length;
    const cells = s => [s.name, count(s.calls), duration(s.total), duration(s.total / s.calls), duration(s.longest)];
    element("spans").querySelector("tbody").replaceChildren(...spans.slice(0, 500).map(s =>
      make("tr", {}, ...cells(s).map((text, i) => make("td", { className: i ? "n" : "", textContent: text })))));
  }
}

function className(column) { return `${column.show ? "n" : ""}${column.rare ? " rare" : ""}`; }

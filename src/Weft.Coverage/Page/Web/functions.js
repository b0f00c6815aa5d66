// The list of functions beside a file.

class FunctionList {
  constructor(file) {
    this.file = file;
    this.list = element("functions").querySelector("ul");
    this.fill();
  }

  sorted() {
    const missing = f => f.lines[1] - f.lines[0], order = element("order").value;
    const by = {
      place: () => 0,
      missing: (a, b) => missing(b) - missing(a),
      count: (a, b) => larger(b.count, a.count) ? 1 : larger(a.count, b.count) ? -1 : 0,
      name: (a, b) => a.name < b.name ? -1 : a.name > b.name ? 1 : 0,
    }[order];
    return [...this.file.model.functions].sort(by);
  }

  fill() {
    const functions = this.sorted(), most = 500;
    this.list.replaceChildren(...functions.slice(0, most).map(f => this.item(f)));
    if (functions.length > most) this.list.append(make("li", {}, `and ${plural(functions.length - most, "function")} more: the search finds them`));
  }

  item(f) {
    const item = make("li", {}, this.entry(f, -1));
    if (this.file.apart && f.instances.length > 1) item.append(make("ul", {}, ...f.instances.map((_, i) => make("li", {}, this.entry(f, i)))));
    return item;
  }

  entry(f, instance) {
    const of = instance < 0 ? f : f.instances[instance], [covered, all] = of.lines;
    const isUnused = of.unused, isBad = covered < all;
    const what = isUnused ? unusedText(of) : of.count === 0 ? "never called" : isBad ? `${plural(all - covered, "line")} missing` : "";
    const several = instance < 0 && f.instances.length > 1 ? plural(f.instances.length, "instantiation") : "";
    const entry = button("", () => this.file.showFunction(f, instance), { className: "fn", title: of.symbol ?? "" });
    entry.append(make("span", { className: "id" }, of.name), make("span", { className: "n", title: `called ${times(of.count)}` }, isUnused ? "–" : `${short(of.count)}×`));
    if (what || several) entry.append(make("span", { className: `what${isBad || isUnused ? " bad" : ""}` }, [what, several].filter(text => text).join(" · ")));
    entry.setAttribute("aria-current", String(instance >= 0 && f.chosen === instance));
    return entry;
  }
}

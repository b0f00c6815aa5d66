// The search over functions and files, as one types.

class Search {
  constructor(app) {
    this.app = app;
    this.input = element("query");
    this.list = element("results");
    this.input.addEventListener("input", () => this.fill());
    this.input.addEventListener("keydown", e => this.key(e));
    element("search").addEventListener("click", e => { if (e.target === element("search")) element("search").close(); });
  }

  async open() {
    element("search").showModal();
    this.input.select();
    this.functions ??= await this.app.functions();
    this.fill();
  }

  fill() {
    const found = search(this.input.value, this.app.index, this.functions ?? []);
    this.found = found;
    this.list.replaceChildren(...found.map((hit, i) => this.item(hit, i)));
    element("found").textContent = this.input.value.trim() ? `${exact(found.all ?? 0)} found${found.all > found.length ? `, the best ${found.length} shown` : ""}` : "";
    this.choose(0);
  }

  item({ file, name, line, count }, i) {
    const item = make("li", { id: `result-${i}`, role: "option" }, make("span", { className: "id" }, name), make("span", { className: "n" }, line ? count === 0 ? "✕ never called" : `${short(count)}×` : percent(file.lines)));
    if (line) item.append(make("span", { className: "place" }, `${file.path}:${line}`));
    item.addEventListener("click", () => this.go(i));
    return item;
  }

  choose(i) {
    this.chosen = Math.min(Math.max(i, 0), this.found.length - 1);
    [...this.list.children].forEach((item, index) => item.setAttribute("aria-selected", String(index === this.chosen)));
    this.list.children[this.chosen]?.scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", this.chosen >= 0 ? `result-${this.chosen}` : "");
  }

  key(event) {
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 };
    if (event.key in steps) this.choose(this.chosen + steps[event.key]);
    else if (event.key === "Enter") this.go(this.chosen);
    else if (event.key === "Escape") element("search").close(); // where browsers would empty the field first
    else return;
    event.preventDefault();
  }

  go(i) {
    const hit = this.found[i];
    if (!hit) return;
    element("search").close();
    this.app.go(hit.file.path, hit.line);
  }
}

// The list of files, with sums by folder.

const fileColumns = [
  { key: "path", title: "File" },
  { key: "lines", title: "Lines" },
  { key: "missing", title: "Missing lines", plain: true, rare: true },
  { key: "regions", title: "Regions", rare: true },
  { key: "functions", title: "Functions", rare: true },
  { key: "branches", title: "Branches", rare: true, optional: true },
  { key: "mcdc", title: "MC/DC", rare: true, optional: true },
];

class Overview {
  constructor(app) {
    this.app = app;
    this.body = element("files").tBodies[0];
    this.order = { key: "path", down: false };
    this.limit = 400;
    this.tree = buildTree(app.index.files);
    this.closed = new Map(); // by path, where somebody said so
    this.columns = fileColumns.filter(column => !column.optional || app.index.totals[column.key][1]);
    this.heads = this.columns.map(column => this.head(column));
    element("files").tHead.rows[0].append(...this.heads);
    element("as-list").checked = app.index.files.length < 2;
    element("filter").addEventListener("input", () => this.restart());
    element("only-missing").addEventListener("change", () => this.restart());
    element("as-list").addEventListener("change", () => this.restart());
    element("more-rows").addEventListener("click", () => {
      this.limit *= 5;
      this.fill();
    });
    this.showFacts();
    this.fill();
  }

  showFacts() {
    const { index } = this.app;
    element("program").textContent = index.program;
    element("command").textContent = index.command;
    element("facts").textContent = [new Date(index.written).toLocaleString(undefined, { dateStyle: "long", timeStyle: "short" }), index.profile, plural(index.files.length, "file"), index.root && `in ${index.root}`].filter(text => text).join(" · ");
    element("remarks").hidden = !index.remarks;
    element("remarks").replaceChildren(...(index.remarks ?? []).map(remark => make("li", {}, remark)));
    element("totals").replaceChildren(...kinds.filter(kind => index.totals[kind][1] || kind !== "mcdc" && kind !== "branches").map(kind => this.total(kind, index.totals[kind])));
  }

  total(kind, ratio) {
    return make("div", { className: "total" }, make("div", { className: "name" }, kindNames[kind]), make("div", { className: "figure" }, percent(ratio)),
      make("div", { className: "of" }, `${exact(ratio[0])} of ${exact(ratio[1])}`), bar(ratio));
  }

  head(column) {
    const sort = button(column.title, () => {
      this.order = { key: column.key, down: this.order.key === column.key ? !this.order.down : column.key === "missing" };
      this.fill();
    });
    return make("th", { scope: "col", className: `${column.key === "path" ? "" : "n"}${column.rare ? " rare" : ""}` }, sort);
  }

  restart() {
    this.limit = 400;
    this.fill();
  }

  get filter() { return element("filter").value.trim(); }

  // The files that are wanted, in the order they are shown in.
  files() {
    const matches = matcher(this.filter), only = element("only-missing").checked;
    return this.app.index.files.filter(file => matches(file.path) && (!only || !isComplete(file)));
  }

  fill() {
    const files = this.files(), asList = element("as-list").checked || this.filter !== "";
    const compare = comparer(this.order.key, this.order.down);
    const rows = [];
    if (asList) for (const file of [...files].sort(compare)) rows.push({ file, depth: 0, name: file.path });
    else this.addRows(rows, files.length === this.app.index.files.length ? this.tree : buildTree(files), 0, compare);
    this.hasFolders = rows.some(row => row.folder);
    this.shown = rows.filter(row => row.file).map(row => row.file);
    this.body.replaceChildren(...rows.slice(0, this.limit).map(row => row.file ? this.row(row.file, row.name, row.depth) : this.folderRow(row)));
    this.heads.forEach((head, i) => head.setAttribute("aria-sort", this.columns[i].key !== this.order.key ? "none" : this.order.down ? "descending" : "ascending"));
    element("more-rows").hidden = rows.length <= this.limit;
    const all = this.app.index.files.length;
    element("rows").textContent = files.length === all ? plural(all, "file") : `${exact(files.length)} of ${plural(all, "file")}, ${exact(files.reduce((sum, f) => sum + f.lines[1] - f.lines[0], 0))} lines missing`;
  }

  addRows(rows, folder, depth, compare) {
    for (const inner of [...folder.folders].sort((a, b) => compare({ ...a.sums, path: a.path }, { ...b.sums, path: b.path }))) {
      const isOpen = !(this.closed.get(inner.path) ?? (this.app.index.files.length > 200 && depth > 0));
      rows.push({ folder: inner, depth, isOpen });
      if (isOpen) this.addRows(rows, inner, depth + 1, compare);
    }
    for (const file of [...folder.files].sort(compare)) rows.push({ file, depth, name: file.path.slice(file.path.lastIndexOf("/") + 1) });
  }

  folderRow({ folder, depth, isOpen }) {
    const name = button(`${folder.name}/`, () => {
      this.closed.set(folder.path, isOpen);
      this.fill();
      this.body.querySelector(`[data-folder="${CSS.escape(folder.path)}"]`)?.focus();
    }, { "aria-expanded": String(isOpen) });
    name.dataset.folder = folder.path;
    return this.cells("folder", folder.sums, depth, make("span", { className: "twist", "aria-hidden": "true" }, isOpen ? "▾" : "▸"), name);
  }

  row(file, name, depth) {
    const tag = file.state ? make("span", { className: "tag" }, file.state === "gone" ? "no source" : "source changed") : null;
    return this.cells("", file, depth, make("a", { href: writeHash(file.path) }, name), tag);
  }

  cells(className, sums, depth, ...name) {
    const box = make("span", { className: "name" }, ...name);
    box.style.paddingLeft = `${depth * 1.25 + (className || !this.hasFolders ? 0 : 1.35)}em`;
    return make("tr", { className }, make("th", { scope: "row" }, box), ...this.columns.slice(1).map(column => this.cell(column, sums)));
  }

  cell(column, sums) {
    const className = `n${column.rare ? " rare" : ""}`;
    if (column.plain) return make("td", { className }, sums.lines[1] === sums.lines[0] ? "" : exact(sums.lines[1] - sums.lines[0]));
    const ratio = sums[column.key];
    return make("td", { className, title: ofText(ratio, column.title.toLowerCase()) }, make("span", { className: "cell" }, bar(ratio), make("span", {}, percent(ratio))));
  }

  // The file after or before one, of those shown, with something missing if that is asked.
  neighbour(file, step, missing) {
    const files = this.shown.includes(file) ? this.shown : this.app.index.files;
    for (let i = files.indexOf(file) + step; i >= 0 && i < files.length; i += step) if (!missing || !isComplete(files[i])) return files[i];
    return null;
  }

  step(step) {
    const links = [...this.body.querySelectorAll("a, button")];
    const at = links.indexOf(document.activeElement);
    links[Math.min(Math.max(at + step, 0), links.length - 1)]?.focus();
  }
}

// The page: what is shown, and keys.

class App {
  constructor(index) {
    this.index = index;
    this.byPath = new Map(index.files.map((file, i) => [file.path, Object.assign(file, { index: i })]));
    this.sources = new Map();
    this.view = null;
    document.title = `${index.program} – Weft coverage`;
    element("head").hidden = false;
    this.overview = new Overview(this);
    this.search = new Search(this);
    this.applyTheme(memory.get("theme") ?? "auto");
    this.showFunctions(memory.get("functions") !== "no" && window.innerWidth > 1100);
    this.listen();
  }

  // ---- data

  data(file) { return unpack(element(`file-${file.index}`).textContent); }

  functions() { return unpack(element("function-data").textContent); }

  fileOf(path) { return path.startsWith(this.index.root) ? this.byPath.get(path.slice(this.index.root.length)) : undefined; }

  // The text of a file, null if it is not in the page.
  async source(path) {
    const file = this.fileOf(path);
    if (!file) return null;
    if (!this.sources.has(path)) this.sources.set(path, (await this.data(file)).source);
    return this.sources.get(path);
  }

  link(path, line) {
    const file = this.fileOf(path);
    return file ? make("a", { href: writeHash(file.path, line) }, `${file.path}:${line}`) : `${path}:${line}`;
  }

  // ---- where we are

  async route() {
    const { path, line } = readHash(location.hash), file = this.byPath.get(path);
    showTip(null);
    if (!file) return this.showOverview(path);
    this.wanted = file;
    if (this.view?.file !== file) {
      const data = await this.data(file);
      if (this.wanted !== file) return; // somebody was faster
      this.view?.close();
      element("overview").hidden = true;
      element("file").hidden = false;
      this.view = new FileView(this, file, data);
      this.showCrumbs(file.path);
    } else {
      element("overview").hidden = true;
      element("file").hidden = false;
      this.showCrumbs(file.path);
    }
    document.title = `${file.path.split("/").pop()} – ${this.index.program} – Weft coverage`;
    this.view.goTo(line);
    if (!line) element("code").focus({ preventScroll: true });
    this.view.drawStrip();
  }

  showOverview(path) {
    this.wanted = null;
    element("file").hidden = true;
    element("overview").hidden = false;
    this.showCrumbs("");
    document.title = `${this.index.program} – Weft coverage`;
    if (path && element("filter").value !== path) {
      element("filter").value = path;
      this.overview.restart();
    }
    if (this.view) this.overview.body.querySelector(`a[href="${CSS.escape(writeHash(this.view.path))}"]`)?.focus({ preventScroll: true });
  }

  showCrumbs(path) {
    const parts = [make("a", { href: "#" }, this.index.program)];
    const slash = () => make("span", { className: "slash", "aria-hidden": "true" }, "/");
    const names = path.split("/");
    names.slice(0, -1).forEach((name, i) => parts.push(slash(), make("a", { href: writeHash(names.slice(0, i + 1).join("/") + "/") }, name)));
    if (path) parts.push(slash(), make("span", { "aria-current": "page" }, names.at(-1)));
    element("crumbs").replaceChildren(...parts);
  }

  go(path, line) {
    const hash = writeHash(path, line);
    if (decodeURI(location.hash) === decodeURI(hash)) this.route();
    else location.hash = hash;
  }

  get isFile() { return !element("file").hidden; }

  stepFile(step) {
    const next = this.overview.neighbour(this.view?.file, step, true);
    if (next) this.go(next.path);
    else if (this.isFile) this.view.say(step > 0 ? "No file with something missing comes after this one." : "No file with something missing comes before this one.");
  }

  // ---- looks

  applyTheme(theme) {
    this.theme = theme;
    const root = document.documentElement, isDark = theme === "dark" || theme === "auto" && matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = theme;
    root.toggleAttribute("data-dark", isDark);
    colors.clear();
    element("theme").textContent = { auto: "Auto", light: "Light", dark: "Dark" }[theme];
    element("theme").title = "Colours: light, dark, or as the system has it";
    this.view?.drawStrip();
  }

  nextTheme() {
    const themes = ["auto", "light", "dark"], theme = themes[(themes.indexOf(this.theme) + 1) % 3];
    memory.set("theme", theme);
    this.applyTheme(theme);
  }

  showFunctions(shown) {
    element("functions").hidden = !shown;
    element("functions-button").setAttribute("aria-expanded", String(shown));
  }

  toggleFunctions() {
    const shown = element("functions").hidden;
    memory.set("functions", shown ? "yes" : "no");
    this.showFunctions(shown);
    if (shown) element("functions").querySelector(".fn")?.focus();
  }

  // ---- what people do

  listen() {
    const on = (id, action) => element(id).addEventListener("click", action);
    on("search-button", () => this.search.open());
    on("help-button", () => element("help").showModal());
    on("theme", () => this.nextTheme());
    on("previous", () => this.view.step(-1));
    on("next", () => this.view.step(1));
    on("apart", () => this.view.setApart(!this.view.apart));
    on("functions-button", () => this.toggleFunctions());
    element("order").addEventListener("change", () => this.view.functions.fill());
    element("goto").addEventListener("submit", () => { if (element("line").value) this.go(this.view.path, Number(element("line").value)); });
    window.addEventListener("hashchange", () => this.route());
    window.addEventListener("beforeprint", () => { if (this.isFile && this.view.model.count <= 20000) this.view.code.fillAll(); });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.applyTheme(this.theme));
    document.addEventListener("keydown", e => this.keyDown(e));
    this.listenToCode(element("code"));
    this.listenToStrip(element("strip"));
    new ResizeObserver(() => this.redrawStrip()).observe(element("code"));
  }

  listenToCode(code) {
    const segmentAt = event => Number(event.target.closest?.("[data-segment]")?.dataset.segment ?? -1);
    code.addEventListener("pointermove", e => {
      if (e.pointerType === "touch") return;
      const segment = segmentAt(e);
      showTip(segment < 0 ? null : this.view.describe(segment), e.clientX, e.clientY);
    });
    code.addEventListener("pointerleave", () => showTip(null));
    code.addEventListener("click", e => {
      const segment = segmentAt(e);
      if (segment >= 0) this.view.say(this.view.describe(segment).join(" · "));
    });
    code.addEventListener("scroll", () => {
      showTip(null);
      this.redrawStrip();
    });
  }

  listenToStrip(strip) {
    const move = e => this.view.stripTo(e.clientY - strip.getBoundingClientRect().top);
    strip.addEventListener("pointerdown", e => {
      strip.setPointerCapture(e.pointerId);
      move(e);
    });
    strip.addEventListener("pointermove", e => { if (strip.hasPointerCapture(e.pointerId)) move(e); });
  }

  redrawStrip() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      if (this.isFile) this.view?.drawStrip();
    });
  }

  keyDown(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const typing = event.target.matches("input[type=search], input[type=number], select");
    if (event.key === "Escape") {
      if (typing) event.target.blur();
      else this.leave();
    } else if (!typing && this.key(event.key)) event.preventDefault();
  }

  key(key) {
    const step = key === "j" || key === "ArrowDown" && !this.isFile ? 1 : key === "k" || key === "ArrowUp" && !this.isFile ? -1 : 0;
    const actions = {
      "/": () => this.search.open(),
      "?": () => element("help").showModal(),
      n: () => this.stepFile(1),
      p: () => this.stepFile(-1),
      t: () => this.nextTheme(),
      u: () => this.leave(),
      f: () => this.isFile ? this.toggleFunctions() : element("filter").focus(),
      g: () => { if (this.isFile) this.askLine(); },
    };
    if (step) this.isFile ? this.view.step(step) : this.overview.step(step);
    else if (actions[key]) actions[key]();
    else return false;
    return true;
  }

  askLine() {
    element("line").value = "";
    element("line").max = this.view.model.count;
    element("goto").showModal();
  }

  leave() {
    if (this.isFile) location.hash = "#";
    else if (element("filter").value) {
      element("filter").value = "";
      this.overview.restart();
    }
  }
}

async function start() {
  const busy = element("busy");
  try {
    const app = new App(await unpack(element("index-data").textContent));
    busy.hidden = true;
    await app.route();
  } catch (error) {
    busy.hidden = false;
    busy.textContent = `This page cannot be shown: ${error.message}`;
    throw error;
  }
}

if (typeof document !== "undefined") start();
if (typeof module !== "undefined") module.exports = { fromBase64, unpack, tokenize, tokenKinds, languageOf, Spans, countLines, replaceSegments, stateOf, FileModel, buildTree, search, readHash, writeHash, outcomes, outcomeText, short, percent, exact, add, larger, comparer };

"use strict";
// The page around the chart: switches, tables that sort, the theme. It reads what the chart's file defines.

(() => {
  const data = JSON.parse(document.getElementById("points").textContent);
  const { points, axes } = data;
  const plot = document.getElementById("plot");
  const chart = makeChart(plot, data);
  const filters = document.getElementById("filters");
  const SWITCHES = { model: "Model", engine: "Engine", precision: "Precision", input: "Input" };

  // ---------------------------------------------------------------- what is shown

  // At first: what the recommended row was judged on, else what most rows were.
  const judgedLike = (point) => points.filter((other) => other.judged === point.judged).length;
  const first =
    points.find((point) => point.id === data.chosen) ??
    points.reduce((best, point) => (judgedLike(point) > judgedLike(best) ? point : best));
  const state = { axis: axes.length ? axes[0].key : "fps", judged: first.judged, off: {} };

  const passes = (point) => Object.keys(SWITCHES).every((name) => !state.off[name]?.has(point[name]));

  function chipSign(chip, name, point) {
    if (name === "input") return;
    const svg = draw(chip, "svg", { width: 16, height: 16, viewBox: "-9 -9 18 18", "aria-hidden": "true" });
    const neutral = { colour: 6, shape: 0, engine: chart.engines[0] };
    const shown = { model: { colour: point.colour }, engine: { engine: point.engine }, precision: { shape: point.shape } };
    chart.shape(svg, { ...neutral, ...shown[name] });
  }

  function buildSwitches() {
    for (const [name, title] of Object.entries(SWITCHES)) {
      const values = [...new Set(points.map((point) => point[name]))];
      if (values.length < 2) continue;
      const set = build(filters, "fieldset");
      build(set, "legend", { textContent: title });
      for (const value of values) {
        const chip = build(set, "label", { className: "chip" });
        const box = build(chip, "input", { type: "checkbox", checked: true, name, value });
        chipSign(chip, name, points.find((point) => point[name] === value));
        chip.append(value);
        box.addEventListener("change", () => {
          state.off[name] ??= new Set();
          state.off[name][box.checked ? "delete" : "add"](value);
          show();
        });
      }
    }
    choice("Accuracy", "judged", [...new Set(points.map((point) => point.judged))].map((name) => [name, name]));
    choice("Against", "axis", axes.map((axis) => [axis.key, axis.name]));
    filters.addEventListener("submit", (event) => event.preventDefault());
    filters.hidden = !filters.childElementCount;
  }

  function choice(title, name, values) {
    if (values.length < 2) return;
    const box = build(filters, "label", { className: "choice" });
    build(box, "span", { textContent: title });
    const select = build(box, "select", { name });
    for (const [value, textContent] of values) build(select, "option", { value, textContent });
    select.value = state[name];
    select.addEventListener("change", () => {
      state[name] = select.value;
      show();
    });
  }

  function show() {
    for (const part of document.querySelectorAll("[data-row]")) {
      // SVG elements have no property `hidden`.
      part.toggleAttribute("hidden", !passes(points[part.dataset.row]));
    }
    drawChart();
  }

  function drawChart() {
    const rows = points.filter((point) => point.judged === state.judged && passes(point));
    chart.show(rows, axes.find((known) => known.key === state.axis), state.judged);
  }

  // ---------------------------------------------------------------- tables that sort, and the theme

  function sortable(head) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") !== "descending";
      for (const other of head.parentElement.children) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const body = head.closest("table").tBodies[0];
      const value = (row) => row.cells[head.cellIndex].dataset.value;
      const rows = [...body.rows].sort((a, b) => compare(value(a), value(b), down));
      body.append(...rows);
    });
  }

  function compare(a, b, down) {
    // What was not measured stands last, whichever way the others go.
    if (a === undefined || b === undefined) return (a === undefined) - (b === undefined);
    const order = Number.isNaN(+a) || Number.isNaN(+b) ? a.localeCompare(b) : a - b;
    return down ? -order : order;
  }

  function buildTheme() {
    const group = document.getElementById("theme");
    group.hidden = false;
    for (const button of group.children)
      button.addEventListener("click", () => {
        if (button.value) document.documentElement.dataset.theme = button.value;
        else delete document.documentElement.dataset.theme;
        for (const other of group.children) other.setAttribute("aria-pressed", other === button);
      });
  }

  buildTheme();
  buildSwitches();
  for (const head of document.querySelectorAll("th[data-sort]")) sortable(head);
  show();
  let drawn = plot.clientWidth;
  new ResizeObserver(() => {
    if (plot.clientWidth === drawn) return;
    drawn = plot.clientWidth;
    drawChart();
  }).observe(plot);
})();

"""The style sheet and the script of a report's page."""

STYLE = """
:root { color-scheme: light dark; --ink: #1c2126; --soft: #5b6570; --line: #d9dee3; --page: #fff; --band: #f4f6f8;
  --c0: #0e4dd1; --c1: #e6701a; --c2: #09a479; --c3: #572352; --c4: #443300; --c5: #4399d2; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ec; --soft: #9aa5b1; --line: #39424c; --page: #14181c;
  --band: #1d2329; --c0: #12a7fd; --c1: #bc5604; --c2: #17db88; --c3: #9b6487; --c4: #f5e947; --c5: #dbebff; } }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1160px; margin: 0 auto; padding: 24px; }
h1 { font-size: 26px; margin: 0 0 8px; overflow-wrap: anywhere; }
h2 { font-size: 19px; margin: 36px 0 8px; padding-top: 12px; border-top: 1px solid var(--line); }
h2 { overflow-wrap: anywhere; }
h3 { font-size: 16px; margin: 20px 0 4px; }
p { margin: 4px 0 12px; color: var(--soft); }
a { color: var(--c0); }
small { color: var(--soft); }
.scroll { overflow-x: auto; max-height: 480px; overflow-y: auto; margin: 8px 0; }
.whole { max-height: none; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 3px 14px 3px 6px; border-bottom: 1px solid var(--line); }
thead th { position: sticky; top: 0; background: var(--band); font-weight: 600; }
.number { text-align: right; }
tbody tr:hover { background: var(--band); }
button { font: inherit; color: inherit; background: none; border: 0; padding: 0; }
button { cursor: pointer; text-decoration: underline dotted; }
details { margin: 8px 0; }
summary { cursor: pointer; }
pre { background: var(--band); padding: 12px; overflow-x: auto; font-size: 13px; }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(320px, 1fr)); gap: 12px; margin: 12px 0; }
.plot { width: 100%; height: auto; font-size: 11px; fill: var(--soft); }
.plot .title { font-size: 13px; fill: var(--ink); }
.plot .grid { stroke: var(--line); fill: none; }
.plot .line { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
.plot .many { stroke-width: 0.8; opacity: 0.35; }
.plot .many:hover { stroke-width: 2; opacity: 1; }
.plot .diagonal { fill: none; stroke: var(--soft); stroke-dasharray: 4 4; }
.plot .dots { stroke-width: 4; stroke-linecap: round; fill: none; }
.plot .faint { stroke-width: 3; opacity: 0.35; }
.plot .dot { fill: var(--c0); }
.plot .bar { fill: var(--c0); }
.plot .mark { fill: none; stroke-width: 7; stroke-linecap: round; opacity: 0.75; }
.plot .mark:hover { opacity: 1; }
.key { width: 12px; height: 12px; fill: none; stroke-width: 6; stroke-linecap: round; vertical-align: -1px; }
.c0 { stroke: var(--c0); } .c1 { stroke: var(--c1); } .c2 { stroke: var(--c2); }
.c3 { stroke: var(--c3); } .c4 { stroke: var(--c4); } .c5 { stroke: var(--c5); }
.d1 { stroke-dasharray: 7 3; } .d2 { stroke-dasharray: 2 3; } .d3 { stroke-dasharray: 9 3 2 3; }
.d4 { stroke-dasharray: 14 4; }
.legend { list-style: none; padding: 0; margin: 8px 0; display: flex; flex-wrap: wrap; gap: 2px 20px; }
.legend li { overflow-wrap: anywhere; }
.plot.sample { width: 36px; height: 12px; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(220px, 1fr)); gap: 12px; margin: 12px 0; }
figure { margin: 0; padding: 8px; border: 1px solid var(--line); border-radius: 4px; min-width: 0; }
figcaption { font-size: 13px; overflow-wrap: anywhere; }
code { font-size: 12px; color: var(--soft); }
.molecule { display: block; width: 100%; height: auto; max-height: 200px; color: var(--ink); }
.bond { fill: none; stroke: currentColor; stroke-width: 1.3; stroke-linecap: round; }
.solid { fill: currentColor; }
.marked { fill: var(--c5); opacity: 0.45; }
.nitrogen { color: var(--c0); } .oxygen { color: var(--c1); } .halogen { color: var(--c2); }
.phosphorus { color: var(--c3); } .sulfur { color: var(--c4); }
"""

SCRIPT = """
for (const table of document.querySelectorAll("table.sortable")) {
  table.querySelectorAll("th button").forEach((button, column) => button.addEventListener("click", () => {
    const ascending = button.dataset.order !== "ascending";
    table.querySelectorAll("th button").forEach((other) => delete other.dataset.order);
    button.dataset.order = ascending ? "ascending" : "descending";
    table.querySelectorAll("th").forEach((head) => head.removeAttribute("aria-sort"));
    button.closest("th").setAttribute("aria-sort", button.dataset.order);
    const body = table.tBodies[0];
    const key = (row) => row.cells[column].textContent;
    const undefinedLast = (a, b) => isNaN(a) - isNaN(b);
    const compare = column === 0
      ? (a, b) => key(a).localeCompare(key(b), undefined, { numeric: true }) * (ascending ? 1 : -1)
      : (a, b) => undefinedLast(+key(a), +key(b)) || (+key(a) - +key(b)) * (ascending ? 1 : -1);
    body.append(...[...body.rows].sort(compare));
  }));
}
"""

// Looks at pages the way a browser shows them, and writes what is wrong with them into the document, as JSON.
const HEADINGS = "h1,h2,h3,h4,h5,h6";

function luminance([r, g, b]) {
  const [x, y, z] = [r, g, b].map((c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  return 0.2126 * x + 0.7152 * y + 0.0722 * z;
}

function rgba(color) {
  const [r, g, b, a = 1] = color.match(/[\d.]+/g).map(Number);
  return [r, g, b, a];
}

function background(view, element) {
  for (let e = element; e; e = e.parentElement) {
    const color = rgba(view.getComputedStyle(e).backgroundColor);
    if (color[3] > 0) return color;
  }
  return [255, 255, 255, 1];
}

function* texts(doc) {
  const walker = doc.createTreeWalker(doc.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (walker.currentNode.data.trim() && !e.closest("title,desc,style,script,.skip") && e.getClientRects().length) yield e;
  }
}

function* faint(view, doc) {
  const seen = new Set();
  for (const e of new Set(texts(doc))) {
    const kind = `${e.tagName}.${e.getAttribute("class")} in ${e.parentElement.tagName}.${e.parentElement.getAttribute("class")}`;
    if (seen.has(kind)) continue;
    seen.add(kind);
    const style = view.getComputedStyle(e);
    const color = rgba(e instanceof view.SVGElement ? style.fill : style.color);
    const [hi, lo] = [luminance(color), luminance(background(view, e))].sort((a, b) => b - a);
    const ratio = (hi + 0.05) / (lo + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) yield `contrast ${ratio.toFixed(2)} of ${e.tagName} ${e.textContent.slice(0, 30)}`;
  }
}

function* structure(doc) {
  const levels = [...doc.querySelectorAll(HEADINGS)].map((h) => Number(h.tagName[1]));
  if (levels.filter((l) => l === 1).length !== 1 || levels[0] !== 1) yield "not one h1, first";
  levels.forEach((l, i) => { if (i && l > levels[i - 1] + 1) levels.bad = l; });
  if (levels.bad) yield `a heading of level ${levels.bad} skips one`;
  if (!doc.documentElement.lang) yield "no lang";
  for (const tag of ["main", "header", "footer", "nav"]) if (doc.querySelectorAll(tag).length !== 1) yield `not one ${tag}`;
  const ids = [...doc.querySelectorAll("[id]")].map((e) => e.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) yield `id ${id} twice`;
  for (const e of doc.querySelectorAll("[aria-labelledby]"))
    for (const id of e.getAttribute("aria-labelledby").split(" ")) if (!doc.getElementById(id)) yield `no label ${id}`;
  for (const a of doc.querySelectorAll("a[href^='#']")) if (!doc.getElementById(a.hash.slice(1))) yield `link to nothing ${a.hash}`;
  for (const a of doc.querySelectorAll("a")) if (!a.textContent.trim()) yield "a link without words";
  for (const t of doc.querySelectorAll("table")) if (!t.caption?.textContent.trim()) yield "a table without caption";
  for (const th of doc.querySelectorAll("th")) if (!th.scope) yield "a header without scope";
  for (const svg of doc.querySelectorAll("svg"))
    if (svg.getAttribute("aria-hidden") !== "true" && !(svg.getAttribute("role") === "img" && svg.querySelector("title")?.textContent))
      yield "a drawing without title";
  for (const d of doc.querySelectorAll("details")) if (!d.firstElementChild?.matches("summary")) yield "details without summary";
}

function* look(view, doc) {
  for (const d of doc.querySelectorAll("details")) d.open = true;
  const root = doc.documentElement;
  if (root.scrollWidth > root.clientWidth) yield `scrolls sideways: ${root.scrollWidth} in ${root.clientWidth}`;
  if (view.getComputedStyle(doc.querySelector(".wide")).maxWidth === "none") yield "the style sheet is not in force";
  for (const e of doc.querySelectorAll("main *"))
    if (/auto|scroll/.test(view.getComputedStyle(e).overflowX) && e.scrollWidth > e.clientWidth + 1 && e.tabIndex < 0)
      yield `cannot be scrolled by keyboard: ${e.tagName}.${e.className}`;
  yield* faint(view, doc);
  yield* structure(doc);
}

async function all(pages) {
  const found = {};
  for (const [name, html] of Object.entries(pages)) {
    for (const width of [360, 1280]) {
      for (const scheme of ["light", "dark"]) {
        const frame = document.createElement("iframe");
        frame.width = width;
        frame.height = 900;
        frame.style.colorScheme = scheme;
        frame.srcdoc = html;
        document.body.append(frame);
        await new Promise((done) => { frame.onload = done; });
        const dark = luminance(background(frame.contentWindow, frame.contentDocument.body)) < 0.5;
        const wrong = [...look(frame.contentWindow, frame.contentDocument)];
        if (dark !== (scheme === "dark")) wrong.push(`the scheme is not ${scheme}`);
        found[`${name} ${width} ${scheme}`] = wrong;
        frame.remove();
      }
    }
  }
  const told = document.createElement("pre");
  told.id = "found";
  told.textContent = JSON.stringify(found);
  document.body.replaceChildren(told);
}

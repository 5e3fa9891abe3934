"use strict";
/* What is under the cursor, read off the pictures themselves. The page is whole without it. */
(() => {
  const WIDE = 2000, HIGH = 1000; /* as lanes.py has them */
  const readout = document.getElementById("readout");
  const plots = [...document.querySelectorAll(".plot")];
  const cursors = plots.map((plot) => {
    const line = document.createElement("div");
    line.className = "cursor";
    line.hidden = true;
    plot.append(line);
    return line;
  });
  const lasted = Number(document.querySelector("main").dataset.lasted);

  /* The height of a line made of M, H and V at x; it ends where it turns back. */
  function level(d, x) {
    let at = 0, y = NaN;
    for (const [, letter, first, second] of d.matchAll(/([MHV])([\d.]+)(?: ([\d.]+))?/g)) {
      if (letter === "M") { at = Number(first); if (at > x) return NaN; y = Number(second); }
      else if (letter === "V") y = Number(first);
      else if (Number(first) > x || Number(first) < at) return y;
      else at = Number(first);
    }
    return y;
  }
  const inBar = (d, x) => [...d.matchAll(/M([\d.]+) [\d.]+h([\d.]+)/g)].some(([, from, long]) => x >= Number(from) && x < Number(from) + Number(long));
  const said = (value) => (Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toFixed(1))));

  function values(plot, x) {
    const found = [];
    let above = null;
    for (const path of plot.querySelectorAll("path[data-name]")) {
      const { name, top, unit, state, stack } = path.dataset, d = path.getAttribute("d");
      if (state !== undefined) {
        if (inBar(d, x)) found.push([name, state]);
        continue;
      }
      const y = level(d, x);
      if (Number.isNaN(y)) continue;
      const value = (1 - y / HIGH) * Number(top);
      if (stack === undefined) { found.push([name, `${said(value)} ${unit}`]); continue; }
      if (above) above[1] = `${said(above[2] - value)} ${unit}`;
      above = [name, `${said(value)} ${unit}`, value];
      found.unshift(above);
    }
    return found;
  }
  function clock(seconds) {
    const whole = Math.round(seconds), h = Math.floor(whole / 3600), m = Math.floor(whole / 60) % 60, s = whole % 60;
    return [h ? `${h}h` : "", m ? `${m}m` : "", s || !whole ? `${s}s` : ""].join("");
  }
  function show(event) {
    const plot = event.currentTarget, box = plot.getBoundingClientRect();
    const part = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    for (const line of cursors) { line.hidden = false; line.style.left = `${100 * part}%`; }
    const lines = values(plot, part * WIDE).map(([name, value]) => {
      const line = document.createElement("span"), left = document.createElement("bdi"), right = document.createElement("bdi");
      left.textContent = name;
      right.textContent = value;
      line.append(left, right);
      return line;
    });
    const head = document.createElement("b");
    head.textContent = clock(part * lasted);
    readout.replaceChildren(head, ...lines);
    readout.hidden = false;
    const wide = readout.offsetWidth, tall = readout.offsetHeight;
    readout.style.left = `${event.clientX + 16 + wide > innerWidth ? Math.max(4, event.clientX - 16 - wide) : event.clientX + 16}px`;
    readout.style.top = `${Math.min(event.clientY + 16, innerHeight - tall - 4)}px`;
  }
  function hide() {
    readout.hidden = true;
    for (const line of cursors) line.hidden = true;
  }
  for (const plot of plots) {
    plot.addEventListener("pointermove", show);
    plot.addEventListener("pointerleave", hide);
  }
})();

"use strict";
/* The page of failoverd. Whatever comes from the daemon, or from files and servers behind it, becomes text and nothing
   else: elements are made by name, words are set as textContent. */
(() => {
  const OLD = 12000; // ms without a word after which everything is called old
  const POLL = 5000;
  const LEVELS = {
    well: { word: "Well", icon: "M20 6 9 17l-5-5", counted: "well" },
    moved: { word: "Moved or degraded", icon: "M4 17h6l4-10h6M16 3l4 4-4 4", counted: "moved or degraded" },
    person: { word: "A person is needed", icon: "M12 3 2 20h20L12 3Zm0 7v5m0 2.5v.5", counted: "waiting for a person" },
    unknown: { word: "Not known", icon: "M9 9a3 3 0 1 1 4 3c-1 .5-1 1-1 2m0 3v.5M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20Z", counted: "not known" },
  };
  const STATES = { healthy: "well", degraded: "moved", down: "person", unknown: "unknown" };
  const WORST = ["person", "moved", "unknown", "well"];
  const PALETTE = 8;
  const $ = (id) => document.getElementById(id);

  // -- what is known ------------------------------------------------------------------------------------------------
  let board = null; // what was told last
  let skew = 0; // ms by which the daemon's clock is ahead of this one's
  let heard = 0; // performance.now() of the last word
  let patience = OLD; // ms without a word that are none to worry about
  let lostAt = 0; // since when nobody answers
  let source = null;
  let asking = false;
  let askAt = 0; // performance.now() from which on it is asked again, while nothing is told
  let listenAt = 0; // the same of asking to be told
  let refusals = 0; // times in a row that it was asked to be told, and refused
  let filtered = null; // records by a filter that the daemon applied
  let chosen = "";
  let hours = 6;
  let spanned = false; // whether a person said how far back
  let story = null; // the timeline that is shown
  let known = ""; // id of the last whole, so that none is told twice

  const now = () => Date.now() + skew;
  const colours = new Map();
  const colour = (region) => {
    if (!colours.has(region)) colours.set(region, colours.size % PALETTE);
    return `--r${colours.get(region)}`;
  };

  // -- words and elements -------------------------------------------------------------------------------------------
  // What turns the direction of a line, or has no shape of its own, is shown as a mark that something is there.
  const clean = (text) => String(text ?? "").replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "\ufffd");

  function el(name, attributes, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) {
      if (value === undefined || value === null || value === false) continue;
      if (key === "class") made.className = value;
      else if (key === "style") for (const [property, set] of Object.entries(value)) made.style.setProperty(property, set);
      else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
      else made.setAttribute(key, value === true ? "" : clean(value));
    }
    for (const child of children.flat()) if (child !== null && child !== undefined && child !== "") made.append(child instanceof Node ? child : clean(child));
    return made;
  }
  const said = (text, attributes) => el("bdi", attributes, text);
  const svgOf = (path) => {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("aria-hidden", "true");
    const drawn = document.createElementNS("http://www.w3.org/2000/svg", "path");
    for (const [key, value] of Object.entries({ d: path, fill: "none", stroke: "currentColor", "stroke-width": "2.4", "stroke-linecap": "round", "stroke-linejoin": "round" })) drawn.setAttribute(key, value);
    svg.append(drawn);
    return svg;
  };
  const badge = (level, word) => el("span", { class: "badge", "data-level": level }, svgOf(LEVELS[level].icon), word ? el("span", {}, word) : "");
  const counted = (many, one, more) => `${many} ${many === 1 ? one : more}`;

  function lasting(ms) {
    const s = Math.max(0, Math.round(ms / 1000));
    if (s < 60) return `${s} s`;
    const m = Math.floor(s / 60), h = Math.floor(m / 60), d = Math.floor(h / 24);
    if (m < 60) return m < 10 && s % 60 ? `${m} min ${s % 60} s` : `${m} min`;
    if (h < 48) return m % 60 ? `${h} h ${m % 60} min` : `${h} h`;
    return h % 24 ? `${d} d ${h % 24} h` : `${d} d`;
  }
  const two = (number) => String(number).padStart(2, "0");
  function clock(at, seconds) {
    const day = new Date(at);
    const far = Math.abs(now() - at) > 20 * 3600e3;
    const date = far ? `${day.getUTCFullYear()}-${two(day.getUTCMonth() + 1)}-${two(day.getUTCDate())} ` : "";
    return `${date}${two(day.getUTCHours())}:${two(day.getUTCMinutes())}${seconds ? `:${two(day.getUTCSeconds())}` : ""} UTC`;
  }
  /* Times tick by themselves. kind: ago, in, since (a clock and how long ago), until. */
  function time(at, kind) {
    const moment = Date.parse(at);
    const made = el("time", { datetime: at, "data-kind": kind, title: clock(moment, true) });
    tick(made);
    return made;
  }
  function tick(element) {
    const at = Date.parse(element.dateTime), left = at - now();
    const told = {
      ago: () => `${lasting(-left)} ago`,
      for: () => `for ${lasting(-left)}`,
      seen: () => `seen ${lasting(-left)} ago`,
      in: () => (left > 0 ? `in ${lasting(left)}` : "now"),
      lasts: () => `for ${lasting(-left)}, since ${clock(at).replace(/ \d\d:\d\d UTC$/, (hour) => (-left > 20 * 3600e3 ? "" : hour))}`,
      to: () => `until ${clock(at)}`,
      since: () => `since ${clock(at)} (${lasting(-left)})`,
      until: () => (left > 0 ? `until ${clock(at)} (${lasting(left)} left)` : `ended at ${clock(at)}`),
      from: () => (left > 0 ? `begins in ${lasting(left)}` : `since ${clock(at)}`),
    }[element.dataset.kind]();
    if (element.textContent !== told) element.textContent = told;
  }

  function copyable(command, what) {
    if (!command) return "";
    const button = el("button", { type: "button", class: "copy", "data-focus": `copy ${what}`, "aria-label": `Copy: ${command}` }, "Copy");
    button.addEventListener("click", () => copy(command, button));
    return button;
  }
  const line = (command, what) => el("span", { class: "cmd-line" }, el("code", { class: "cmd" }, command), copyable(command, what));
  async function copy(text, button) {
    let done = false;
    try {
      await navigator.clipboard.writeText(text);
      done = true;
    } catch {
      const area = el("textarea", { readonly: true, class: "unseen", "aria-hidden": "true" });
      area.value = text;
      document.body.append(area);
      area.select();
      done = document.execCommand("copy");
      area.remove();
      button.focus();
    }
    button.textContent = done ? "Copied" : "Select it";
    announce(done ? "copied" : "it could not be copied: select the text");
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  }
  const teller = el("p", { class: "unseen", role: "status", "aria-live": "polite" });
  document.body.append(teller);
  const announce = (text) => { teller.textContent = text; };

  /* One element for each item, made anew only if the item is another one: what has the focus, or is being read, stays. */
  function keyed(parent, items, key, make) {
    const there = new Map([...parent.children].map((child) => [child.dataset.key, child]));
    const focused = document.activeElement && parent.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
    let place = parent.firstElementChild;
    for (const item of items) {
      const name = key(item), print = JSON.stringify(item);
      let child = there.get(name);
      there.delete(name);
      if (!child || child.print !== print) {
        const made = make(item);
        made.dataset.key = name;
        made.print = print;
        if (child) { if (child === place) place = made; child.replaceWith(made); }
        child = made;
      }
      if (child === place) place = place.nextElementSibling;
      else parent.insertBefore(child, place);
    }
    for (const gone of there.values()) gone.remove();
    if (focused && !parent.contains(document.activeElement)) {
      const again = [...parent.querySelectorAll("[data-focus]")].find((each) => each.dataset.focus === focused);
      (again || parent.closest("[tabindex]"))?.focus({ preventScroll: true }); // not to the top of everything
    }
  }

  // -- what is shown ------------------------------------------------------------------------------------------------
  function show() {
    const glance = board.glance;
    document.body.dataset.level = glance.level;
    $("level-icon").replaceChildren(svgOf(LEVELS[glance.level].icon));
    $("level-word").textContent = LEVELS[glance.level].word;
    const headline = clean(inLetters(glance.headline)), [first, ...rest] = headline.split("; ");
    if ($("headline").textContent !== headline) $("headline").replaceChildren(first, ...(rest.length ? [el("span", { class: "unseen" }, "; "), el("span", { class: "rest" }, rest.join("; "))] : []));
    for (const each of board.regions.map((region) => region.region).sort()) colour(each);
    document.title = `${{ well: "\u2713", moved: "\u2192", person: "!", unknown: "?" }[glance.level]} ${headline} \u00b7 failoverd`;
    $("speaker").textContent = clean(glance.speaker);
    $("speaker").hidden = !glance.speaker;
    showConcerns(glance.concerns);
    showRecords();
    showWords();
    showRegions();
    $("all").hidden = false;
    $("door").hidden = true;
  }

  function showConcerns(concerns) {
    for (const [section, list, levels, left] of [["needs", "needs-list", ["person"], 0], ["cares", "cares-list", ["moved", "unknown"], board.left.concerns || 0]]) {
      const found = concerns.filter((each) => levels.includes(each.level));
      $(section).hidden = !found.length;
      keyed($(list), found, (each) => `${each.policy} ${each.subject} ${each.text}`, (each) => el("li", { "data-level": each.level },
        el("span", { class: "text" }, badge(each.level, ""), said(inLetters(each.text))),
        el("span", { class: "since" }, each.since ? time(each.since, "for") : ""),
        each.remedy || each.runbook ? el("p", { class: "remedy" }, remedy(each), each.runbook ? ["runbook ", link(each.runbook)] : "") : ""));
      if (left && section === "cares") $(list).append(el("li", { "data-key": "left" }, `and ${left} more`));
    }
  }
  /* The command is the daemon's own word. In the text, which others have a part in, nobody looks for one. */
  function remedy(concern) {
    const { remedy: text, command } = concern, at = command ? text.lastIndexOf(command) : -1;
    if (at < 0) return text ? el("span", {}, said(text), command ? line(command, concern.subject) : "") : "";
    return el("span", {}, said(text.slice(0, at)), line(command, `${concern.policy} ${concern.subject}`), said(text.slice(at + command.length)));
  }
  function link(text) {
    const shown = clean(text);
    return shown === text && /^https?:\/\/[^\s]+$/i.test(text) && URL.canParse(text) ? el("a", { href: text, rel: "noopener noreferrer", target: "_blank" }, said(text)) : said(text);
  }

  const spoken = (name) => board.names[name] || name;
  const inLetters = (text) => Object.entries(board.names).reduce((all, [name, letters]) => all.replaceAll(name, letters), text);
  function matches(record, wanted) {
    return [record.policy, record.record, spoken(record.record), record.provider, ...Object.keys(record.now_bp), ...Object.keys(record.normal_bp)].some((text) => text.toLowerCase().includes(wanted));
  }
  const leftOf = (of) => Object.entries(of.left).filter(([what]) => what.startsWith("records_")).reduce((sum, [, many]) => sum + many, 0);

  const ROWS = 20; // at first: what is worst is to be seen beside what else there is
  let everything = false;
  function showRecords() {
    const wanted = $("filter").value.trim().toLowerCase();
    const from = wanted && filtered ? filtered : board;
    const records = from.glance.records.filter((each) => !wanted || matches(each, wanted));
    const busy = records.filter((each) => each.level !== "well"), well = records.filter((each) => each.level === "well");
    const left = leftOf(from), all = board.glance.records.length + leftOf(board), key = (each) => `${each.policy} ${each.record} ${each.type} ${each.provider}`;
    const first = everything ? busy : busy.slice(0, ROWS);
    keyed($("busy-rows"), first, key, row);
    keyed($("well-rows"), well, key, row);
    $("more").hidden = first.length === busy.length;
    $("more").textContent = `Show ${busy.length - first.length} more`;
    $("busy").hidden = !busy.length;
    $("well").hidden = !well.length && !from.left.records_well;
    if (wanted || (!busy.length && well.length <= 12)) $("well").open = true;
    const leftWell = from.left.records_well || 0;
    $("well-title").textContent = `${counted(well.length + leftWell, "record is", "records are")} well${leftWell ? `, ${well.length} of them shown: filter by name for the others` : ""}`;
    const more = left - leftWell;
    $("records-note").textContent = wanted
      ? `${counted(records.length + left, "record", "records")} like \u201c${wanted}\u201d${left ? `, ${records.length} of them shown` : ""}`
      : more > 0 ? `the worst ${busy.length} of ${busy.length + more} that are not well: filter by name for the others` : all ? "" : "nothing is steered";
    const levels = new Map();
    for (const each of board.glance.records) levels.set(each.level, (levels.get(each.level) || 0) + 1);
    for (const [what, many] of Object.entries(board.left)) if (what.startsWith("records_")) levels.set(what.slice(8), (levels.get(what.slice(8)) || 0) + many);
    $("counts").textContent = `${counted(board.glance.policies, "policy", "policies")}; records: ${WORST.filter((each) => levels.get(each)).map((each) => `${levels.get(each)} ${LEVELS[each].counted}`).join(", ") || "none"}`;
    choose();
  }

  function row(record) {
    const regions = [...new Set([...Object.keys(record.normal_bp), ...Object.keys(record.now_bp)])].sort();
    const what = `${record.policy} ${record.record} ${record.type} ${record.provider}`;
    const history = el("button", { type: "button", "data-focus": `history ${what}`, "aria-label": `What happened to ${record.policy}` }, "What happened");
    history.addEventListener("click", () => { pick(record.policy); $("timeline").focus(); $("timeline").scrollIntoView({ block: "start" }); });
    const word = { well: "Well", moved: record.moved ? "Moved" : record.overrides.length ? "Override" : "Watched", person: "Person needed", unknown: "Not known" }[record.level];
    return el("tr", { role: "row", "data-level": record.level },
      el("th", { role: "rowheader", scope: "row", class: "who" },
        el("div", { class: "name" }, said(record.policy)),
        el("div", { class: "record" }, said(`${spoken(record.record)} ${record.type}`), " ", el("span", { class: "at" }, "at ", said(record.provider))),
        badge(record.level, record.state === "in_sync" || record.level === "well" ? word : `${word}: ${record.state.replace("_", " ")}`)),
      el("td", { role: "cell", class: "shares" }, bars(record, regions), parts(record, regions),
        record.state !== "delayed" || record.seen === null ? "" : el("div", { class: "when" }, "last seen ", time(record.seen, "ago")),
        record.since ? el("div", { class: "when" }, time(record.since, "lasts")) : "",
        record.costs ? el("div", { class: "when" }, said(record.costs)) : ""),
      el("td", { role: "cell", class: "why" }, said(record.why || (record.moved ? "" : "as normal"))),
      el("td", { role: "cell", class: "next" }, said(record.next), record.next_at ? el("div", { class: "when" }, time(record.next_at, "in")) : ""),
      el("td", { role: "cell" }, el("div", { class: "act" }, el("code", { class: "cmd" }, record.stop), copyable(record.stop, what), history)));
  }
  const percent = (bp) => `${Number((bp / 100).toFixed(bp % 100 ? 1 : 0))} %`;
  function bars(record, regions) {
    const bar = (shares, name) => el("div", { class: name }, regions.filter((each) => shares[each]).map((each) => el("span", { style: { width: `${shares[each] / 100}%`, background: `var(${colour(each)})` } })));
    return el("div", { class: "bars", "aria-hidden": "true" }, record.seen === null || (record.foreign.length && !Object.keys(record.now_bp).length) ? "" : ["now", bar(record.now_bp, "bar-now")], "normal", bar(record.normal_bp, "bar-normal"));
  }
  function parts(record, regions) {
    if (record.seen === null) return el("p", { class: "parts" }, "what it answers is not known: it was never read");
    const told = record.foreign.length ? regions.filter((each) => record.now_bp[each]) : regions; // of the others nobody knows that they get nothing
    return el("ul", { class: "parts" }, told.map((each) => {
      const is = record.now_bp[each] || 0, was = record.normal_bp[each] || 0;
      return el("li", {}, el("span", { class: "key", "aria-hidden": "true", style: { background: `var(${colour(each)})` } }),
        said(each, { class: !is && was ? "gone" : undefined }), el("strong", {}, percent(is)), is === was ? "" : el("span", { class: "was" }, `normal ${percent(was)}`));
    }), record.foreign.map((each) => el("li", {}, said(each))));
  }

  function showWords() {
    const planned = board.glance.planned.filter((each) => !board.glance.overrides.some((word) => word.id === each.override));
    const items = [...board.glance.overrides.map((each) => ({ ...each, of: "word" })), ...planned.map((each) => ({ ...each, id: each.override, of: "plan" }))];
    $("words").hidden = !items.length;
    keyed($("words-list"), items, (each) => `${each.of} ${each.id}`, (each) => each.of === "plan"
      ? el("li", {}, el("span", { class: "what" }, "planned: ", said(each.about)), el("span", { class: "end" }, time(each.since, "from"), ", ", time(each.until, "to")),
        el("span", { class: "reason" }, said(each.reason), " \u2014 ", said(each.actor)))
      : el("li", {}, el("span", { class: "what" }, said(each.text), each.state === "in_force" ? "" : ` (${each.state === "pending" ? "waits for somebody to agree" : "to come"})`),
        el("span", { class: "end" }, each.state === "upcoming" ? time(each.since, "from") : time(each.until, "until")),
        el("span", { class: "reason" }, said(each.reason), " \u2014 ", said(each.by)), el("span", { class: "end" }, line(board.stops[each.id], each.id))));
    if (board.left.overrides) $("words-list").append(el("li", { "data-key": "left" }, `and ${board.left.overrides} more: failoverctl overrides`));
  }

  const seenOf = new Map(); // by cloud/region, as the last beat told it
  function showRegions() {
    const clouds = new Map();
    for (const each of board.regions) {
      seenOf.set(`${each.cloud}/${each.region}`, each.seen);
      clouds.set(each.cloud, [...(clouds.get(each.cloud) || []), { ...each, seen: null, unseen: each.seen === null }]);
    }
    $("regions").hidden = !clouds.size;
    keyed($("clouds"), [...clouds], ([cloud]) => cloud || "?", ([cloud, regions]) => el("section", { class: "cloud", "aria-label": cloud || "other regions" },
      el("h3", {}, said(cloud || "no cloud named")), el("ul", {}, regions.map((each) => el("li", { "data-level": STATES[each.state] },
        el("strong", {}, said(each.region)), badge(STATES[each.state], each.state),
        each.state === "healthy" ? "" : el("span", { class: "why" }, said(each.why)),
        loadOf(each) ? el("span", { class: "why" }, loadOf(each)) : "",
        ...each.short.map((text) => el("span", { class: "why" }, said(text))),
        each.latency_seconds === null ? "" : el("span", { class: "why" }, `latency ${Math.round(each.latency_seconds * 1000)} ms`),
        each.practised ? el("span", { class: "why" }, "practised ", time(each.practised_at, "for"), " ago: ", said(each.practised.replaceAll("_", " "))) : "",
        el("span", { class: "when" }, policiesOf(each), " \u00b7 ", time(each.since, "for"), " \u00b7 ", each.unseen ? "never seen yet" : el("time", { "data-kind": "seen", datetime: seenOf.get(`${each.cloud}/${each.region}`), "data-of": `${each.cloud}/${each.region}` })))))));
    if (board.left.regions) announce(`${board.left.regions} regions are not shown`);
    beat();
  }
  const amount = (value) => (Math.abs(value) >= 10 || Number.isInteger(value) ? Math.round(value).toLocaleString("en") : value.toFixed(1));
  function loadOf(region) {
    if (region.capacity === null || region.load === null) return "";
    const left = region.capacity - region.load;
    const more = [];
    if (Math.round(region.target) !== Math.round(region.load)) more.push(`${amount(region.target)} wanted`);
    if (Math.round(region.demand) !== Math.round(region.load)) more.push(`${amount(region.demand)} on a normal day`);
    if (region.room < region.capacity) more.push(`as ill as it is it can carry ${amount(region.room)}`);
    const carries = `carries ${amount(region.load)} of ${amount(region.capacity)}, ${left < 0 ? `${amount(-left)} too much` : `room for ${amount(left)}`}`;
    return [carries, ...more].join("; ");
  }
  function policiesOf(region) {
    const all = Object.values(region.states).reduce((sum, many) => sum + many, 0);
    const same = region.states[region.state] || 0;
    return same === all ? counted(all, "policy", "policies") : `${same} of ${all} policies`;
  }
  function beat() {
    for (const each of document.querySelectorAll("time[data-of]")) {
      const at = seenOf.get(each.dataset.of);
      if (at) each.dateTime = at;
      tick(each);
    }
  }

  // -- what happened ------------------------------------------------------------------------------------------------
  function choose() {
    const asked = decodeURIComponent((/^#policy=(.+)$/.exec(location.hash) || [])[1] || "");
    if (!chosen) pick(asked || (board.glance.records[0] || {}).policy || "");
  }
  function pick(policy) {
    if (!policy || policy === chosen) return;
    chosen = policy;
    story = null;
    if (!spanned) span(6);
    history.replaceState(null, "", `#policy=${encodeURIComponent(policy)}`);
    $("charts").replaceChildren();
    $("story").hidden = true;
    look();
  }
  let looking = null;
  async function look() {
    if (!chosen) { $("timeline").hidden = true; return; }
    $("timeline").hidden = false;
    $("timeline-title").textContent = clean(`What happened: ${chosen}`);
    looking?.abort();
    const asking = looking = new AbortController();
    const since = new Date(Math.floor((now() - hours * 3600e3) / 60e3) * 60e3).toISOString();
    try {
      const answer = await fetch(`/v1/timeline?policy=${encodeURIComponent(chosen)}&since=${encodeURIComponent(since)}`, { signal: asking.signal });
      const told = await answer.json();
      if (asking !== looking) return;
      if (answer.ok) { story = told; tell(); } else if (answer.status === 401) closed(told); else $("timeline-note").textContent = clean(`The journal does not say: ${told.detail}`);
    } catch (error) {
      if (error.name !== "AbortError") $("timeline-note").textContent = "Not known: the daemon does not answer.";
    }
  }
  function tell() {
    const moves = story.records.flatMap((each) => each.moves);
    $("timeline-note").textContent = moves.length || story.marks.length
      ? `${counted(moves.length, "change", "changes")} since ${clock(Date.parse(story.since))}${story.cut ? "; there was more, the oldest of it is left out" : ""}. Times are UTC.`
      : `Nothing changed since ${clock(Date.parse(story.since))}.`;
    const last = story.incidents.at(-1);
    if (!spanned && last && now() - Date.parse(last.began) < 50 * 60e3 && hours !== 1) { span(1); look(); return; } // else it is a hair at the edge
    tellIncident();
    draw();
  }
  function span(many) {
    hours = many;
    for (const each of document.querySelectorAll("[data-hours]")) each.setAttribute("aria-pressed", String(Number(each.dataset.hours) === many));
  }
  const KINDS = { "endpoint.failed": "person", "region.failed": "person", "change.applied": "moved", "change.verified": "well", "incident.closed": "well", "region.recovered": "well", "endpoint.recovered": "well", "region.degraded": "moved", "failover.held": "person", "plan.held": "moved", "change.disputed": "person", "target.delayed": "person" };
  const MANY = 24;
  /* What was told of one endpoint after the other is folded first; the change and what regions became stays. Where something is left out, it is said there. */
  function folded(marks) {
    const rank = (each) => (each.event.startsWith("endpoint.") ? 0 : /^(change|incident)\./.test(each.event) ? 2 : 1);
    const kept = new Set(marks.length <= MANY ? marks : []);
    for (const ranked of marks.length > MANY ? [2, 1, 0] : []) {
      const some = marks.filter((each) => rank(each) === ranked), room = MANY - kept.size;
      for (const each of some.length <= room ? some : [...some.slice(0, Math.ceil(room / 2)), ...some.slice(some.length - Math.floor(room / 2))]) kept.add(each);
    }
    const shown = [];
    for (const each of marks) {
      if (kept.has(each)) { shown.push(each); continue; }
      if (!shown.at(-1)?.left) shown.push({ at: each.at, left: {} });
      const { left } = shown.at(-1);
      left[each.event] = (left[each.event] || 0) + 1;
    }
    return shown;
  }
  function tellIncident() {
    const incident = story.incidents.at(-1);
    $("story").hidden = !incident;
    if (!incident) return;
    const began = Date.parse(incident.began);
    const ended = incident.closed_at ? Date.parse(incident.closed_at) : Infinity;
    const during = (each) => !each.incident_id && Date.parse(each.at) >= began && Date.parse(each.at) <= ended; // what the prober lost from sight, say
    const told = story.marks.filter((each) => each.incident_id === incident.incident_id || during(each));
    $("story-title").textContent = clean(`Incident ${incident.incident_id}: ${incident.cause}`);
    $("story-note").textContent = incident.closed_at ? `Closed after ${lasting(Date.parse(incident.closed_at) - began)}.` : `Open, for ${lasting(now() - began)}.`;
    const leftOut = (left) => `and ${Object.entries(left).map(([event, many]) => `${many} ${event}`).join(", ")} more: failoverctl history`;
    keyed($("marks"), folded(told), (each) => `${each.at} ${each.event} ${each.message}`, (each) => each.left ? el("li", { class: "left", "data-level": "unknown" }, leftOut(each.left)) : el("li", { "data-level": KINDS[each.event] || "unknown" },
      el("span", { class: "offset" }, `+${((Date.parse(each.at) - began) / 1000).toFixed(1)} s`, el("span", { class: "clock" }, clock(Date.parse(each.at), true))),
      el("span", {}, said(each.message), " ", el("span", { class: "event" }, each.event))));
  }

  const plots = [];
  const styleOf = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  function draw() {
    for (const each of plots.splice(0)) each.destroy();
    $("charts").replaceChildren();
    if (!story) return;
    const [from, to] = [Date.parse(story.since) / 1000, Math.max(Date.parse(story.until), now()) / 1000];
    health(from, to);
    for (const record of story.records) shares(record, from, to);
    clients();
  }
  function figure(caption, keys, describe) {
    const place = el("div", { class: "plot", role: "img", "aria-label": describe });
    $("charts").append(el("figure", { class: "chart" }, el("figcaption", {}, said(caption)), place, keys.length ? el("div", { class: "keys", "aria-hidden": "true" }, keys) : ""));
    return place;
  }
  const axes = (extra) => [{
    stroke: styleOf("--muted"), grid: { show: false }, ticks: { stroke: styleOf("--line"), size: 4 }, size: 30, font: "12px system-ui, sans-serif", space: 70,
    values: (_, marks) => marks.map((each) => { const day = new Date(each * 1000), hour = `${two(day.getUTCHours())}:${two(day.getUTCMinutes())}`; return hours > 24 ? [`${two(day.getUTCMonth() + 1)}-${two(day.getUTCDate())}`, hour].join(" ") : hours <= 1 && marks.length > 1 && marks[1] - marks[0] < 60 ? `${hour}:${two(day.getUTCSeconds())}` : hour; }),
  }, { stroke: styleOf("--muted"), grid: { stroke: styleOf("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif", ...extra }];
  function plot(place, height, scales, yAxis, data, series, hooks) {
    const made = new uPlot({
      width: Math.max(240, place.clientWidth), height, legend: { show: false }, cursor: { show: false }, select: { show: false }, padding: [8, 32, 0, 0],
      tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "UTC"), scales, axes: axes(yAxis), series: [{}, ...series], hooks: hooks || {},
    }, data, place);
    plots.push(made);
  }
  const LANE = 26;
  function health(from, to) {
    const lanes = story.regions.map((each) => ({ name: story.regions.some((other) => other !== each && other.region === each.region) ? `${each.region} ${each.type}` : each.region, begin: each.begin, steps: each.steps }));
    if (!lanes.length) return;
    const keys = Object.entries(STATES).map(([state, level]) => el("span", {}, el("i", { style: { background: `var(--${level})` } }), state));
    const describe = `Health of regions: ${lanes.map((each) => `${each.name} ${(each.steps.at(-1) || { state: each.begin }).state}`).join(", ")}`;
    const place = figure("Health of its regions", keys, describe);
    const longest = Math.max(...lanes.map((each) => each.name.length));
    plot(place, lanes.length * LANE + 38, { x: { range: [from, to] }, y: { range: [0, lanes.length] } },
      { size: Math.min(160, 18 + longest * 7), grid: { show: false }, splits: () => lanes.map((_, at) => at + .5), values: () => lanes.map((_, at) => clean(lanes[lanes.length - 1 - at].name).slice(0, 20)) },
      [[from, to], [0, 0]], [{ show: false }], {
        draw: [(u) => {
          lanes.forEach((lane, number) => {
            const y = u.valToPos(lanes.length - number - .5, "y", true), thick = 12 * devicePixelRatio;
            const points = [{ at: from, state: lane.begin }, ...lane.steps.map((each) => ({ at: Date.parse(each.at) / 1000, state: each.state }))];
            points.forEach((point, index) => {
              const end = index + 1 < points.length ? points[index + 1].at : to;
              const x = u.valToPos(Math.max(point.at, from), "x", true), width = Math.max(u.valToPos(end, "x", true) - x, devicePixelRatio * 2);
              u.ctx.fillStyle = styleOf(`--${STATES[point.state] || "unknown"}`);
              const tall = point.state === "healthy" ? thick / 3 : thick; // what is wrong stands out without its colour
              u.ctx.fillRect(x, y - tall / 2, width, tall);
            });
          });
        }],
      });
  }
  function shares(record, from, to) {
    const moves = record.moves.filter((each) => each.outcome === "applied");
    const steps = [{ at: from, to: record.begin_bp }, ...moves.map((each) => ({ at: Date.parse(each.at) / 1000, to: each.to_bp }))];
    steps.push({ at: to, to: steps.at(-1).to });
    const regions = [...new Set(steps.flatMap((each) => Object.keys(each.to)))].sort();
    if (!regions.length) return;
    const keys = regions.map((each) => el("span", {}, el("i", { style: { background: `var(${colour(each)})` } }), said(each)));
    const describe = `Shares of ${record.record}: ${moves.map((each) => `${clock(Date.parse(each.at))} ${regions.map((region) => `${region} ${percent(each.to_bp[region] || 0)}`).join(", ")}`).slice(-5).join("; ") || "no change"}`;
    const place = figure(`Shares: ${spoken(record.record)} at ${record.provider}`, keys, describe);
    const sums = regions.map((_, upTo) => steps.map((each) => regions.slice(0, upTo + 1).reduce((sum, region) => sum + (each.to[region] || 0) / 100, 0)));
    const stepped = uPlot.paths.stepped({ align: 1 });
    plot(place, 170, { x: { range: [from, to] }, y: { range: [0, 100] } }, { size: 52, splits: () => [0, 25, 50, 75, 100], values: (_, marks) => marks.map((each) => `${each} %`) },
      [steps.map((each) => each.at), ...sums.reverse()],
      [...regions].reverse().map((each) => ({ paths: stepped, points: { show: false }, stroke: styleOf("--surface"), width: 1.5, fill: styleOf(colour(each)) })));
  }
  function clients() {
    if (!story.clients.length) return;
    const points = story.clients.map((each) => [Date.parse(each.at) / 1000, each.old_bp / 100]);
    const move = story.records.flatMap((each) => each.moves).find((each) => each.change_id === story.change);
    const at = now() / 1000, after = points.findIndex(([x]) => x > at);
    const old = after < 0 ? points.at(-1)[1] : after === 0 ? 100 : points[after - 1][1] + (points[after][1] - points[after - 1][1]) * (at - points[after - 1][0]) / (points[after][0] - points[after - 1][0]);
    const told = after < 0 ? `fewer than ${Math.ceil(points.at(-1)[1])} % by now` : `about ${old.toFixed(old < 10 ? 1 : 0)} % now`;
    const place = figure(`Clients still on the answer before the last change (computed from its TTL): ${told}`, [], `Clients on the old answer of ${move ? move.record : "the record"}: ${told}`);
    const start = points[0][0];
    const minutes = [0, 1, 2, 3, 5, 10, 15];
    plot(place, 170, { x: { time: false, range: [start, points.at(-1)[0]] }, y: { range: [0, 100] } }, { size: 52, splits: () => [0, 25, 50, 75, 100], values: (_, marks) => marks.map((each) => `${each} %`) },
      [points.map(([x]) => x), points.map(([, y]) => y)], [{ stroke: styleOf("--accent"), width: 2, points: { show: false }, fill: `${styleOf("--accent")}22` }],
      { draw: [(u) => { if (at > u.scales.x.max) return; const x = u.valToPos(at, "x", true); u.ctx.strokeStyle = styleOf("--text"); u.ctx.lineWidth = devicePixelRatio; u.ctx.beginPath(); u.ctx.moveTo(x, u.bbox.top); u.ctx.lineTo(x, u.bbox.top + u.bbox.height); u.ctx.stroke(); }] });
    const made = plots.at(-1);
    made.axes[0].splits = () => minutes.map((each) => start + each * 60);
    made.axes[0].values = (_, marks) => marks.map((each) => `+${Math.round((each - start) / 60)} min`);
    made.redraw(false, true);
  }

  // -- how it is heard ----------------------------------------------------------------------------------------------
  function take(told, id) {
    board = told;
    take.id = id;
    if (id) mode("live");
    word(told.glance.at);
    show();
    if (known !== id) { known = id; refilter(); if (story) look(); }
  }
  function word(at) {
    skew = Date.parse(at) - Date.now();
    heard = performance.now();
    patience = OLD;
    lostAt = 0;
    freshness();
  }
  function listen() {
    source?.close();
    source = new EventSource("/v1/events");
    source.addEventListener("board", (event) => { refusals = 0; take(JSON.parse(event.data), event.lastEventId); });
    source.addEventListener("beat", (event) => {
      refusals = 0;
      mode("live");
      const told = JSON.parse(event.data);
      for (const [name, at] of Object.entries(told.seen)) seenOf.set(name, at);
      word(told.at);
      beat();
    });
    source.addEventListener("due", (event) => { patience = Math.max(OLD, 1000 * JSON.parse(event.data).within); });
    source.onerror = () => {
      if (source?.readyState === EventSource.CLOSED) { // refused, and it does not say why
        source = null;
        refusals += 1;
        listenAt = performance.now() + Math.min(60e3, POLL * 2 ** (refusals - 1)) * (.8 + Math.random() * .4);
      }
      if (!lostAt) askAt = 0;
      keepAsking();
    };
  }
  /* Each second: whatever became of an earlier question, or of who told, it is asked again. */
  function keepAsking() {
    const at = performance.now(), silent = at - heard > patience;
    if (!$("door").hidden) return;
    if (source && silent && !lostAt && at - heard > 2 * patience) { source.close(); source = null; }
    if ((!source || silent || source.readyState !== EventSource.OPEN) && !asking && at >= askAt) poll();
  }
  /* Asks by itself while it is not told, and says why. */
  async function poll() {
    asking = true;
    let wait = POLL;
    try {
      const answer = await fetch("/v1/page", { signal: AbortSignal.timeout(8000) });
      if (answer.status === 401 || answer.status === 403) return closed(await answer.json());
      if (answer.ok) {
        const told = await answer.json(), wasLost = lostAt;
        mode("polling");
        take(told, "");
        if (!source && (wasLost || performance.now() >= listenAt)) listen();
      } else {
        wait = Math.max(wait, 1000 * Number(answer.headers.get("Retry-After") || 0));
        if (answer.status !== 429) lost((await answer.json()).detail);
      }
    } catch {
      lost("");
    } finally {
      asking = false;
      askAt = performance.now() + wait * (.8 + Math.random() * .4);
    }
  }
  function lost(why) {
    lostAt = lostAt || performance.now();
    lost.why = why ? `: ${clean(why)}` : "";
    freshness();
  }
  function mode(name) { mode.is = name; }
  function closed(why) {
    source?.close();
    source = null;
    $("door").hidden = false;
    $("all").hidden = true;
    $("link").dataset.state = "waiting";
    $("link-text").textContent = "not signed in";
    const byLink = why.reason === "link_unknown"; // no token opens that one
    $("enter").hidden = $("door-what").hidden = byLink;
    $("door-error").textContent = byLink || why.reason !== "nobody" ? clean(`${why.detail}${why.remedy ? `: ${why.remedy}` : ""}`) : "";
    if (document.activeElement === document.body) $("token").focus();
  }
  async function enter(token) {
    const answer = await fetch("/v1/enter", { headers: { Authorization: `Bearer ${token}` } });
    if (!answer.ok) return closed(await answer.json());
    $("door").hidden = true;
    listen();
  }
  $("enter").addEventListener("submit", (event) => {
    event.preventDefault();
    const token = $("token").value;
    $("token").value = "";
    enter(token).catch(() => closed({ reason: "", detail: "nobody answers" }));
  });

  function freshness() {
    if (!board) {
      $("banner").hidden = !lostAt;
      const told = `The daemon does not answer${lost.why}. Records stay as they are meanwhile; it is tried again all the time.`;
      if (lostAt && $("banner").textContent !== told) $("banner").textContent = told;
      return;
    }
    const silent = performance.now() - heard, old = silent > patience;
    document.body.classList.toggle("old", old);
    $("link").dataset.state = old ? "old" : mode.is || "waiting";
    $("link-text").textContent = old ? `old: ${lasting(silent)}` : `${mode.is === "polling" ? "asking" : "live"} \u00b7 ${lasting(silent)} ago`;
    const banner = $("banner");
    const words = lostAt ? `The daemon does not answer${lost.why}` : "Nothing is heard from the daemon";
    if (old) {
      const told = `${words}. All of this is what it saw at ${clock(heardAt(), true)}, ${lasting(silent)} ago. Records stay as they are meanwhile; it is tried again all the time.`;
      if (banner.hidden || freshness.at !== Math.floor(silent / 5000)) { banner.textContent = told; freshness.at = Math.floor(silent / 5000); }
    }
    banner.hidden = !old;
  }
  const heardAt = () => now() - (performance.now() - heard);
  setInterval(() => { for (const each of document.querySelectorAll("time[data-kind]")) tick(each); freshness(); keepAsking(); }, 1000);
  setInterval(() => { if (story && !document.hidden && !document.body.classList.contains("old")) look(); }, 60000);

  // -- what a person does -------------------------------------------------------------------------------------------
  const globbed = (text) => `*${text.replace(/[[\]*?]/g, (each) => `[${each}]`)}*`;
  let typed = 0;
  async function refilter() {
    const wanted = $("filter").value.trim().toLowerCase();
    if (!wanted || !board || !leftOf(board)) { filtered = null; if (board) showRecords(); return; }
    try {
      const answer = await fetch(`/v1/page?policy=${encodeURIComponent(globbed(wanted))}`);
      if (answer.ok && wanted === $("filter").value.trim().toLowerCase()) { filtered = await answer.json(); Object.assign(board.names, filtered.names); showRecords(); }
    } catch { /* what was shown stays, and is called old if nothing else is heard */ }
  }
  $("filter").addEventListener("input", () => { showRecords(); if ($("records").getBoundingClientRect().bottom < 120 || $("records").getBoundingClientRect().top > innerHeight - 120) $("records").scrollIntoView({ block: "start" }); clearTimeout(typed); typed = setTimeout(refilter, 250); });
  document.addEventListener("keydown", (event) => {
    const writing = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName || "");
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/" && !writing) { event.preventDefault(); $("filter").focus(); $("filter").select(); }
    if (event.key === "t" && !writing) $("theme").click();
    if (event.key === "Escape" && document.activeElement === $("filter")) { $("filter").value = ""; refilter(); $("records").focus(); }
  });
  for (const button of document.querySelectorAll("[data-hours]")) button.addEventListener("click", () => {
    spanned = true;
    span(Number(button.dataset.hours));
    look();
  });
  $("more").addEventListener("click", () => { everything = true; const next = $("busy-rows").children.length; showRecords(); $("busy-rows").children[next]?.querySelector("button")?.focus(); });
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const THEMES = ["system", "light", "dark"];
  let theme = "system";
  try { theme = THEMES.includes(localStorage.getItem("theme")) ? localStorage.getItem("theme") : "system"; } catch { /* none is kept */ }
  function paint() {
    document.documentElement.dataset.theme = theme === "system" ? (dark.matches ? "dark" : "light") : theme;
    $("theme").textContent = `Theme: ${theme}`;
    draw();
  }
  $("theme").addEventListener("click", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    try { localStorage.setItem("theme", theme); } catch { /* it lasts until the page is closed */ }
    paint();
  });
  dark.addEventListener("change", paint);
  let resized = 0;
  addEventListener("resize", () => { clearTimeout(resized); resized = setTimeout(draw, 150); });

  paint();
  const shown = /^#token=(.+)$/.exec(location.hash);
  if (shown) {
    history.replaceState(null, "", location.pathname); // it is not to stay in the address, or in what is remembered of it
    enter(decodeURIComponent(shown[1])).catch(() => closed({ reason: "", detail: "nobody answers" }));
  } else {
    listen();
  }
})();

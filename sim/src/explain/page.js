"use strict";
// The page around the drawing: the story, the tools, pointers and keys, details, and
// the list that says in words what is in view.

const get = (id) => document.getElementById(id);

/** An element with text or other elements in it; never markup. */
function make(name, attributes = {}, ...inside) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...inside);
  return element;
}

function begin(run) {
  const chart = new Chart(run, get("chart"));
  let pending = false;
  let timer = 0;

  /** Draws soon, and lists what is in view when it rests. */
  function redraw() {
    if (!pending) {
      pending = true;
      requestAnimationFrame(() => {
        pending = false;
        chart.draw();
        drawOverview(get("overview"), chart);
        clearTimeout(timer);
        timer = setTimeout(list, 120);
      });
    }
  }

  function select(item, move = false) {
    chart.selected = item;
    if (item && move && (item.to < chart.from || item.from > chart.to)) {
      const half = (chart.to - chart.from) / 2;
      chart.show(item.from - half, item.from + half);
    }
    tell(item);
    redraw();
  }

  function jump() {
    const { focus } = run.objection;
    chart.show(focus - 1_200_000, focus + 200_000);
    redraw();
  }

  // The story.
  const { objection } = run;
  document.body.classList.toggle("failed", objection !== null);
  document.title = `${objection ? "FAILED" : "passed"}: ${run.source}`;
  get("verdict").textContent = objection ? "FAILED" : "PASSED";
  get("source").textContent = run.source;
  get("claim").textContent = run.claim;
  get("story").append(make("p", {}, run.story.join(" ")));
  if (objection) {
    get("failure").hidden = get("jump").hidden = false;
    get("failure-title").textContent = `The broken promise: ${objection.oracle}, at ${seconds(objection.focus)}`;
    get("what").textContent = objection.what;
    const nodes = objection.nodes.map((id) => `n${id}`);
    const names = [...nodes, ...objection.operations.map((id) => `#${id}`), ...objection.keys];
    const late = objection.at > objection.focus ? ` It was noticed at ${seconds(objection.at)}, when all was over.` : "";
    get("named").textContent = (names.length ? `It names ${names.join(", ")}.` : "") + late;
    const broken = make("button", {}, make("span", { class: "soft" }, seconds(objection.focus)), make("span", {}, "✕"),
      make("strong", {}, objection.oracle));
    broken.onclick = jump;
    get("leads").append(...run.leads.map((item) => row(item)), make("li", { class: "broken" }, broken));
    get("leads").scrollTop = get("leads").scrollHeight;
  }
  for (const { what, left_out: count, of, whole } of run.left_out) {
    const from = `${seconds(Math.max(whole[0], 0), 1)} to ${seconds(Math.min(whole[1], run.end), 1)}`;
    const kept = count === of ? "all are left out" : `${count.toLocaleString("en")} are left out: only those from ${from} are shown`;
    get("left-out").append(make("p", {}, `Of ${of.toLocaleString("en")} ${what} ${kept}.`));
  }
  if (run.left_out.length) get("left-out").prepend(make("h2", {}, "Not on this page, for want of room"));
  const commands = [["this page", "explain"], ["every event", "replay"], ...(objection ? [["cut it down", "shrink"]] : [])];
  for (const [what, command] of commands) {
    const text = `cargo run -q --release --bin quorate-sim -- ${command} ${run.source}`;
    get("commands").append(make("dt", {}, what), make("dd", {}, make("code", {}, text)));
  }

  // The tools.
  get("in").onclick = () => { chart.zoom(0.5); redraw(); };
  get("out").onclick = () => { chart.zoom(2); redraw(); };
  get("whole").onclick = () => { chart.show(0, run.end); redraw(); };
  get("jump").onclick = jump;
  function toggles(into, set, entries) {
    for (const [value, label, title] of entries) {
      const button = make("button", { "aria-pressed": set.has(value), title }, label);
      button.onclick = () => {
        if (!set.delete(value)) set.add(value);
        button.setAttribute("aria-pressed", set.has(value));
        redraw();
      };
      get(into).append(button);
    }
  }
  toggles("nodes", run.filter.nodes, run.nodes.map(({ at, label }) => [at, label, `Only what ${label} does, and others pressed here`]));
  toggles("layers", run.filter.layers, [
    ["messages", "Messages", "Messages between nodes"], ["heartbeats", "Heartbeats", "Heartbeats and appends of nothing"],
    ["disk", "Disk", "Disk operations"], ["words", "Words", "Requests and replies, as nodes have them"],
  ]);
  const key = get("key");
  key.append(make("option", { value: "" }, "all"));
  for (const [name, count] of run.keys()) key.append(make("option", { value: name }, `${name} (${count})`));
  key.onchange = () => only(key.value);
  function only(name) {
    run.filter.key = key.value = name;
    redraw();
  }

  // Details, and what is in view, in words.
  function row(item) {
    const lane = run.lanes[item.lane].label;
    const button = make("button", {}, make("span", { class: "soft" }, seconds(item.from)), make("span", {}, lane),
      make("span", { class: "mono" }, run.line(item)));
    button.onclick = () => select(item, true);
    const element = make("li", item.leads ? { class: "leads" } : {}, button);
    if (item === chart.selected) element.setAttribute("aria-current", "true");
    return element;
  }

  function list() {
    const most = 200, middle = (chart.from + chart.to) / 2;
    let items = chart.visible().filter((item) => item.kind !== Kind.Life);
    const all = items.length;
    if (all > most) {
      items.sort((a, b) => Math.abs(a.from - middle) - Math.abs(b.from - middle));
      items = items.slice(0, most).sort((a, b) => a.at - b.at);
    } else {
      items.sort((a, b) => a.at - b.at);
    }
    const hidden = chart.hidden ? `; ${chart.hidden.toLocaleString("en")} acknowledgements are drawn when you zoom in` : "";
    const part = all > most ? `the ${most} in the middle of ${all.toLocaleString("en")}` : `${all}`;
    get("count").textContent = `${seconds(chart.from)} to ${seconds(chart.to)}: ${part}${hidden}`;
    get("events").replaceChildren(...items.map(row));
    for (const [index, lead] of [...get("leads").children].slice(0, run.leads.length).entries()) {
      lead.toggleAttribute("aria-current", false);
      if (run.leads[index] === chart.selected) lead.setAttribute("aria-current", "true");
    }
  }

  function tell(item) {
    const panel = get("details");
    panel.replaceChildren(make("h2", {}, item ? `A ${NAMES[item.kind]}`.replace("A o", "An o") : "Details"));
    if (!item) return panel.append(make("p", { class: "soft" }, "Point at anything, or tap it."));
    const lane = run.lanes[item.lane], other = run.lanes[item.other];
    const lasts = item.to > item.from ? ` to ${seconds(item.to, 6)}, ${span(item.to - item.from)}` : "";
    const where = other === lane ? lane.label : `${lane.label} → ${other.label}`;
    const facts = [["where", where], ["when", `${seconds(item.from, 6)}${lasts}`], ["what", item.text],
      ["state", OUTCOMES[item.state] ?? item.state], ["key", item.key], [item.kind === Kind.Role ? "term" : "answer", item.more]];
    const facts_list = make("dl");
    for (const [name, value] of facts) if (value) facts_list.append(make("dt", {}, name), make("dd", { class: name === "what" ? "mono" : "" }, value));
    if (item.leads) panel.append(make("p", {}, "This led to the broken promise."));
    const buttons = make("span", { class: "group" });
    const add = (label, act) => { const button = make("button", {}, label); button.onclick = act; buttons.append(button); };
    add("Previous", () => step(-1));
    add("Next", () => step(1));
    if (item.key) add(`Only ${item.key}`, () => only(item.key));
    panel.append(facts_list, buttons);
  }

  /** Goes to the next event of the same kind on the same lane, or to the first in view. */
  function step(by) {
    const { selected } = chart;
    if (!selected) return select(chart.visible().sort((a, b) => a.at - b.at).find((item) => item.from >= chart.from) ?? null);
    for (let at = selected.at + by; at >= 0 && at < run.items.length; at += by) {
      const item = run.items[at];
      if (item.lane === selected.lane && item.kind === selected.kind && run.passes(item)) return select(item, true);
    }
  }

  // Pointers and keys.
  const canvas = get("chart"), tip = get("tip"), held = new Map();
  let moved = 0;
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left - 1, event.clientY - box.top - 1];
  };
  canvas.onpointerdown = (event) => {
    held.set(event.pointerId, place(event));
    moved = 0;
    canvas.setPointerCapture(event.pointerId);
  };
  canvas.onpointermove = (event) => {
    const at = place(event), before = held.get(event.pointerId);
    if (!before) return point(at);
    tip.hidden = true;
    if (held.size === 1) {
      chart.pan(before[0] - at[0]);
    } else {
      const other = [...held].find(([id]) => id !== event.pointerId)[1];
      const apart = (x) => Math.max(Math.abs(x - other[0]), 8);
      chart.zoom(apart(before[0]) / apart(at[0]), (at[0] + other[0]) / 2);
    }
    moved += Math.abs(before[0] - at[0]) + Math.abs(before[1] - at[1]);
    held.set(event.pointerId, at);
    redraw();
  };
  canvas.onpointerup = (event) => {
    if (held.delete(event.pointerId) && moved < 6 && event.button === 0) select(chart.hit(...place(event)));
  };
  canvas.onpointercancel = (event) => held.delete(event.pointerId);
  canvas.onpointerleave = () => { tip.hidden = true; };
  canvas.addEventListener("wheel", (event) => {
    if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      chart.pan(event.deltaX);
    } else if (event.ctrlKey || event.metaKey || document.activeElement === canvas) {
      chart.zoom(Math.exp(Math.max(-1, Math.min(1, event.deltaY / 300))), place(event)[0]);
    } else {
      return;
    }
    event.preventDefault();
    redraw();
  }, { passive: false });

  function point([x, y]) {
    const item = x > chart.gutter ? chart.hit(x, y) : null;
    canvas.classList.toggle("pointing", item !== null);
    tip.hidden = item === null;
    if (!item) return;
    const lane = run.lanes[item.lane].label, lasts = item.to > item.from ? `, ${span(item.to - item.from)}` : "";
    tip.textContent = `${seconds(item.from)}${lasts} · ${lane} · ${run.line(item)}`;
    const left = Math.max(0, Math.min(x + 12, chart.width - tip.offsetWidth - 4));
    const below = y + 18 + tip.offsetHeight < chart.height;
    tip.style.left = `${left}px`;
    tip.style.top = `${below ? y + 18 : y - tip.offsetHeight - 10}px`;
  }

  canvas.onkeydown = (event) => {
    const act = {
      ArrowLeft: () => chart.pan(-80), ArrowRight: () => chart.pan(80), "+": () => chart.zoom(0.6), "=": () => chart.zoom(0.6),
      "-": () => chart.zoom(1 / 0.6), 0: () => chart.show(0, run.end), n: () => step(1), p: () => step(-1),
      v: () => objection && jump(), Escape: () => select(null),
    }[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
    redraw();
  };

  const overview = get("overview");
  const centre = (event) => {
    const box = overview.getBoundingClientRect(), half = (chart.to - chart.from) / 2;
    const time = ((event.clientX - box.left - chart.gutter) / (box.width - chart.gutter)) * run.end;
    chart.show(time - half, time + half);
    redraw();
  };
  overview.onpointerdown = (event) => { overview.setPointerCapture(event.pointerId); centre(event); };
  overview.onpointermove = (event) => { if (event.buttons) centre(event); };

  get("legend").append(...legend());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  new ResizeObserver(redraw).observe(get("stage"));
  if (objection) {
    jump();
    const asks = (item) => [Kind.Operation, Kind.Watch].includes(item.kind) && item.to === objection.focus;
    select(run.leads.find(asks) ?? null);
  }
  redraw();
  return { run, chart, select };
}

/** What colours and lines mean, drawn as they are on the chart. */
function legend() {
  const drawn = (colour, shape) => {
    const svg = get("swatch").content.firstElementChild.cloneNode(true);
    const [strip, area] = svg.children, straight = shape === "line" || shape === "dashes";
    const part = straight ? strip : area;
    (straight ? area : strip).remove();
    const line = { x1: 1, y1: 11, x2: 25, y2: 1, stroke: `var(--${colour})`, "stroke-width": 2 };
    const box = { x: 1, y: 1, width: 24, height: 10, fill: `var(--${colour})` };
    const hollow = { ...box, "fill-opacity": 0.22, stroke: `var(--${colour})`, "stroke-dasharray": "4 3" };
    const halo = { ...box, fill: "none", stroke: `var(--${colour})`, "stroke-width": 2 };
    const attributes = { line, dashes: { ...line, "stroke-dasharray": "3 3" }, box, hollow, halo }[shape];
    for (const [key, value] of Object.entries(attributes)) part.setAttribute(key, value);
    return svg;
  };
  return [
    ["leader", "box", "leader"], ["candidate", "box", "candidate"], ["follower", "box", "follower"], ["commit", "box", "commit"],
    ["down", "hollow", "down"], ["paused", "hollow", "paused"], ["stalled", "hollow", "disk stalled"], ["cut", "box", "links cut"],
    ["append", "line", "append"], ["ack", "line", "acknowledgement"], ["vote", "line", "vote"],
    ["forward", "line", "forward"], ["chunk", "line", "snapshot"], ["violation", "dashes", "message that did not arrive"],
    ["done", "box", "operation done"], ["fault", "box", "refused by the tree"], ["refused", "hollow", "not done"],
    ["lost", "hollow", "no answer"], ["harm", "box", "damage, halt"], ["lie", "box", "a lie is told"], ["lead", "halo", "led to the failure"],
  ].map(([colour, shape, text]) => make("li", {}, drawn(colour, shape), text));
}

const data = JSON.parse(get("run").textContent);
/** For the console, and for the test that clicks through. */
window.quorate = data && begin(new Run(data));

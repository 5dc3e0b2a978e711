"use strict";
// Drawing: lanes over time on one canvas, the whole run on another, and where on them
// a point or an item is.

/** The colours of the style sheet, as they are in this scheme. */
function palette() {
  const style = getComputedStyle(document.documentElement);
  return new Proxy({}, { get: (_, name) => style.getPropertyValue(`--${name}`).trim() });
}

/** A canvas as sharp as the screen; drawn on in CSS pixels. */
function sharpen(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

const AXIS = 24;
/** Messages in view beyond which acknowledgements are not drawn, for clarity. */
const MANY = 6_000;

class Chart {
  constructor(run, canvas) {
    Object.assign(this, { run, canvas, from: 0, to: run.end, selected: null, hidden: 0 });
    this.stack();
  }

  /** Faults that befall several at once are stacked, where they overlap. */
  stack() {
    const ends = [];
    for (const item of this.run.items) {
      if (item.kind !== Kind.Fault || item.lane !== 0) continue;
      let row = ends.findIndex((end) => end <= item.from);
      if (row < 0) row = Math.min(ends.length, 3);
      ends[row] = Math.max(ends[row] ?? 0, item.to);
      item.row = row;
    }
    this.rows = Math.max(1, ends.length);
  }

  /** Where every lane is, for a canvas of this width. */
  layout() {
    this.width = this.canvas.clientWidth;
    const narrow = this.width < 600;
    this.gutter = narrow ? 46 : 84;
    const heights = { world: this.rows * 16 + 10, node: narrow ? 62 : 74, client: 24, watcher: 18 };
    let y = AXIS;
    for (const lane of this.run.lanes) {
      lane.y = y;
      lane.height = heights[lane.kind];
      lane.short = narrow ? lane.label.replace("client ", "c").replace("watcher ", "w") : lane.label;
      y += lane.height;
    }
    this.height = y + 6;
  }

  x(time) { return this.gutter + ((time - this.from) / (this.to - this.from)) * (this.width - this.gutter); }

  time(x) { return this.from + ((x - this.gutter) / (this.width - this.gutter)) * (this.to - this.from); }

  /** Shows this span, as far as there is one. */
  show(from, to) {
    const least = 200, { end } = this.run;
    const lasts = Math.min(Math.max(to - from, least), end);
    this.from = Math.min(Math.max(from, 0), end - lasts);
    this.to = this.from + lasts;
  }

  /** Shows so many times as long, and keeps the time under this place where it is. */
  zoom(factor, x = (this.width + this.gutter) / 2) {
    const still = this.time(Math.max(x, this.gutter));
    const lasts = (this.to - this.from) * factor;
    const share = (still - this.from) / (this.to - this.from);
    this.show(still - share * lasts, still + (1 - share) * lasts);
  }

  pan(pixels) {
    const time = (pixels / (this.width - this.gutter)) * (this.to - this.from);
    this.show(this.from + time, this.to + time);
  }

  /** What can be seen and passes the filters. */
  visible() {
    return this.run.within(this.from, this.to).filter((item) => this.run.passes(item));
  }

  draw() {
    this.layout();
    const c = this.context = sharpen(this.canvas, this.width, this.height);
    const colours = this.colours = palette();
    c.font = "12px system-ui, sans-serif";
    c.textBaseline = "middle";
    this.ground(c, colours);
    const items = this.shown = this.visible();
    const of = (...kinds) => items.filter((item) => kinds.includes(item.kind));
    c.save();
    c.beginPath();
    c.rect(this.gutter, 0, this.width - this.gutter, this.height);
    c.clip();
    of(Kind.Role).forEach((item) => this.role(item));
    of(Kind.Fault).forEach((item) => this.fault(item));
    of(Kind.Disk).forEach((item) => this.bar(item, this.y(item), 5, item.state === "done" ? "disk" : "violation"));
    this.messages(of(Kind.Message));
    this.progress(of(Kind.Progress));
    of(Kind.Operation, Kind.Watch).forEach((item) => this.operation(item));
    of(Kind.Mark).forEach((item) => this.mark(item));
    const haloed = (item) => item.leads && item.kind !== Kind.Fault && item.kind !== Kind.Role;
    items.filter(haloed).forEach((item) => this.halo(item, colours.lead, 2));
    if (this.selected) this.halo(this.selected, colours.ink, 2.5);
    this.violation();
    c.restore();
    this.labels();
  }

  ground(c, colours) {
    for (const lane of this.run.lanes) {
      c.fillStyle = lane.at % 2 ? colours["lane-other"] : colours.lane;
      c.fillRect(0, lane.y, this.width, lane.height);
    }
    const { calm, end } = this.run;
    if (calm !== null && calm < end) {
      c.fillStyle = colours.calm;
      c.fillRect(Math.max(this.x(calm), this.gutter), 0, this.width, AXIS);
    }
    const steps = [1, 2, 5].flatMap((n) => [1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9].map((unit) => n * unit)).sort((a, b) => a - b);
    const per = (this.to - this.from) / ((this.width - this.gutter) / 90);
    const step = steps.find((each) => each >= per) ?? 1e9;
    const digits = Math.max(0, 6 - Math.floor(Math.log10(step)));
    for (let at = Math.ceil(this.from / step) * step; at <= this.to; at += step) {
      const x = Math.round(this.x(at)) + 0.5;
      c.strokeStyle = colours.rule;
      c.lineWidth = 1;
      line(c, x, AXIS - 5, x, this.height);
      c.fillStyle = colours.soft;
      c.fillText(seconds(at, Math.min(digits, 6)), x + 4, AXIS / 2);
    }
  }

  role(item) {
    const { context: c, colours } = this, lane = this.run.lanes[item.lane];
    const [x, width] = this.span(item);
    const leads = item.state === "leader", stands = item.state.endsWith("candidate");
    c.fillStyle = leads ? colours.leader : stands ? colours.candidate : colours.follower;
    const height = leads ? 15 : stands ? 12 : 9;
    c.fillRect(x, lane.y + 3, Math.max(width, 1), height);
    const text = leads ? `leader, term ${item.more}` : `term ${item.more}`;
    const left = Math.max(x, this.gutter);
    if (x + width - left > c.measureText(text).width + 10 && !stands && leads) {
      c.fillStyle = colours["on-leader"];
      c.fillText(text, left + 5, lane.y + 11);
    }
  }

  fault(item) {
    const { context: c, colours } = this, lane = this.run.lanes[item.lane];
    const [x, width] = this.span(item);
    const colour = colours[item.state] || colours.cut;
    const world = item.lane === 0;
    const [y, height] = world ? [lane.y + 5 + item.row * 16, 13]
      : item.state === "stalled" ? [lane.y + lane.height - 22, 20] : [lane.y + 1, lane.height - 2];
    c.save();
    c.beginPath();
    c.rect(x, y, Math.max(width, 2), height);
    c.globalAlpha = world ? 0.85 : 0.16;
    c.fillStyle = colour;
    c.fill();
    c.clip();
    if (!world) {
      c.globalAlpha = item.state === "down" ? 0.5 : 0.35;
      c.strokeStyle = colour;
      c.lineWidth = 1;
      const [left, right] = [Math.max(x, this.gutter), Math.min(x + width, this.width)];
      c.beginPath();
      for (let at = left - height - (left % 8); at < right; at += 8) {
        c.moveTo(at, y + height);
        c.lineTo(at + height, y);
      }
      c.stroke();
    }
    c.restore();
    if (item.leads) {
      c.strokeStyle = colours.lead;
      c.lineWidth = 2;
      c.strokeRect(x, y + 0.5, Math.max(width, 2), height - 1);
    }
    const left = Math.max(x, this.gutter) + 4;
    if (x + width - left > 34) {
      const text = fit(c, world ? item.text : FAULTS[item.state] ?? item.state, x + width - left);
      c.fillStyle = world ? colours.panel : colour;
      if (world) c.fillText(text, left, y + 7); else written(c, text, left, y + height - 9, colours);
    }
  }

  /** Where on its lane an item is: its middle. */
  y(item) {
    const lane = this.run.lanes[item.lane];
    switch (item.kind) {
      case Kind.Role: case Kind.Life: return lane.y + 9;
      case Kind.Message: return this.base(item.lane);
      case Kind.Disk: return lane.y + lane.height - 17;
      case Kind.Progress: return lane.y + lane.height - 8;
      case Kind.Mark: return item.style === "in" || item.style === "out" ? this.base(item.lane) : lane.y + 24;
      case Kind.Fault: return item.lane === 0 ? lane.y + 12 + (item.row ?? 0) * 16 : lane.y + lane.height - 11;
      default: return lane.y + lane.height / 2;
    }
  }

  /** Where messages leave and reach a lane. */
  base(lane) { return this.run.lanes[lane].y + (this.run.lanes[lane].height > 70 ? 38 : 33); }

  span(item) {
    const x = Math.max(this.x(item.from), this.gutter - 20);
    return [x, Math.min(this.x(item.to), this.width + 20) - x];
  }

  bar(item, y, height, colour) {
    const [x, width] = this.span(item);
    this.context.fillStyle = this.colours[colour];
    this.context.fillRect(x, y - height / 2, Math.max(width, 1.5), height);
  }

  /** A tick for every advance; where there is room, up to which entry. */
  progress(items) {
    const { context: c, colours } = this;
    const free = new Map();
    c.fillStyle = colours.commit;
    for (const item of items) {
      const [x, y] = [this.x(item.from), this.y(item)];
      c.fillRect(x - 0.5, y - 3, 1.5, 6);
      if (x > (free.get(item.lane) ?? 0)) {
        written(c, item.state, x + 3, y, colours);
        free.set(item.lane, x + c.measureText(item.state).width + 26);
      }
    }
  }

  messages(items) {
    const { context: c, colours } = this;
    for (const lane of this.run.nodes) {
      c.strokeStyle = colours.rule;
      c.lineWidth = 1;
      line(c, this.gutter, this.base(lane.at), this.width, this.base(lane.at));
    }
    const shown = items.length > MANY ? items.filter((it) => it.leads || !["ack", "beat"].includes(it.style)) : items;
    this.hidden = items.length - shown.length;
    const alpha = shown.length > 1_500 ? 0.35 : shown.length > 400 ? 0.6 : 0.9;
    const groups = Map.groupBy ? Map.groupBy(shown, (it) => `${it.style} ${it.state === "arrived"}`) : group(shown);
    for (const [name, group] of groups) {
      const [style, arrived] = name.split(" ");
      c.globalAlpha = arrived === "true" ? alpha : Math.min(1, alpha * 1.3);
      c.strokeStyle = arrived === "true" ? colours[style] : colours.violation;
      c.setLineDash(arrived === "true" ? [] : [3, 3]);
      c.lineWidth = style === "ack" || style === "beat" ? 0.8 : 1.2;
      c.beginPath();
      for (const item of group) {
        const { x1, y1, x2, y2 } = this.ends(item);
        c.moveTo(x1, y1);
        c.lineTo(x2, y2);
      }
      c.stroke();
      c.setLineDash([]);
      if (shown.length < 1_500) group.forEach((item) => this.head(item, arrived === "true"));
    }
    c.globalAlpha = 1;
  }

  /** From where to where a message is drawn; one that is lost does not get far. */
  ends(item) {
    const [x1, y1] = [this.x(item.from), this.base(item.lane)];
    let [x2, y2] = [this.x(item.to), this.base(item.other)];
    if (item.state !== "arrived") {
      [x2, y2] = [x1 + (x2 - x1) * 0.6 + 6, y1 + (y2 - y1) * 0.6];
    }
    return { x1, y1, x2, y2 };
  }

  head(item, arrived) {
    const { context: c } = this, { x1, y1, x2, y2 } = this.ends(item);
    if (arrived) {
      const angle = Math.atan2(y2 - y1, x2 - x1);
      c.beginPath();
      for (const side of [-0.4, 0.4]) {
        c.moveTo(x2, y2);
        c.lineTo(x2 - 6 * Math.cos(angle + side), y2 - 6 * Math.sin(angle + side));
      }
      c.stroke();
    } else {
      line(c, x2 - 3.5, y2 - 3.5, x2 + 3.5, y2 + 3.5);
      line(c, x2 - 3.5, y2 + 3.5, x2 + 3.5, y2 - 3.5);
    }
  }

  operation(item) {
    const { context: c, colours } = this, lane = this.run.lanes[item.lane];
    const [x, width] = this.span(item);
    const height = lane.height - 8, top = lane.y + 4;
    const watch = item.kind === Kind.Watch;
    const colour = watch ? (item.state === "told" ? "forward" : "beat") : item.state === "open" ? "lost" : item.state;
    c.fillStyle = c.strokeStyle = colours[colour];
    const hollow = ["open", "lost", "refused"].includes(item.state);
    c.globalAlpha = hollow ? 0.22 : watch ? 0.45 : 0.85;
    c.fillRect(x, top, Math.max(width, 2), height);
    c.globalAlpha = 1;
    if (hollow) {
      c.lineWidth = 1.2;
      c.setLineDash(item.state === "refused" ? [] : [4, 3]);
      c.strokeRect(x + 0.5, top + 0.5, Math.max(width - 1, 1.5), height - 1);
      c.setLineDash([]);
    }
    const left = Math.max(x, this.gutter) + 4;
    if (x + width - left > 40) {
      c.fillStyle = hollow || watch ? colours.ink : colours.panel;
      c.fillText(fit(c, item.text.replace(/^#\d+ /, ""), x + width - left - 3), left, top + height / 2);
    }
  }

  mark(item) {
    const { context: c, colours } = this;
    const [x, y] = [this.x(item.from), this.y(item)];
    c.fillStyle = colours[{ lie: "lie", halt: "harm", harm: "harm", step: "step" }[item.style] ?? "soft"];
    c.beginPath();
    if (item.style === "lie") {
      c.arc(x, y, 3, 0, 7);
    } else if (item.style === "in" || item.style === "out") {
      c.rect(x - 0.75, y - 5, 1.5, 10);
    } else {
      c.moveTo(x, y + 5);
      c.lineTo(x - 4.5, y - 4);
      c.lineTo(x + 4.5, y - 4);
    }
    c.fill();
  }

  halo(item, colour, width) {
    const { context: c } = this;
    c.strokeStyle = colour;
    c.lineWidth = width;
    if (item.kind === Kind.Message) {
      const { x1, y1, x2, y2 } = this.ends(item);
      line(c, x1, y1, x2, y2);
      this.head(item, item.state === "arrived");
    } else {
      const lane = this.run.lanes[item.lane];
      const high = [Kind.Operation, Kind.Watch].includes(item.kind) ? lane.height - 4 : 14;
      const [x, span] = this.span(item);
      c.strokeRect(x - 1.5, this.y(item) - high / 2, Math.max(span, 3) + 3, high);
    }
  }

  violation() {
    const { objection } = this.run, { context: c, colours } = this;
    if (!objection) return;
    const x = Math.round(this.x(objection.focus));
    c.fillStyle = colours.violation;
    c.fillRect(x - 1, 0, 2, this.height);
    const text = `${objection.oracle}`, width = c.measureText(text).width + 12;
    const left = x + width > this.width ? x - width : x;
    c.fillRect(left, 2, width, 18);
    c.fillStyle = colours.panel;
    c.fillText(text, left + 6, 11.5);
  }

  labels() {
    const { context: c, colours, run } = this;
    c.fillStyle = colours.panel;
    c.fillRect(0, 0, this.gutter, this.height);
    c.fillStyle = colours.rule;
    c.fillRect(this.gutter - 1, 0, 1, this.height);
    for (const lane of run.lanes) {
      const node = lane.kind === "node";
      const named = run.objection && node && run.objection.nodes.includes(Number(lane.label.slice(1)));
      c.font = node ? "600 14px system-ui, sans-serif" : "12px system-ui, sans-serif";
      c.fillStyle = named ? colours.violation : node ? colours.ink : colours.soft;
      c.fillText(lane.short, 8, lane.y + lane.height / 2);
      c.fillStyle = colours.rule;
      c.fillRect(0, lane.y, this.width, node ? 1 : 0.5);
    }
  }

  /** Where an item is, or as much of it as can be seen: the middle, in CSS pixels. */
  locate(item) {
    if (item.kind === Kind.Message) {
      const { x1, y1, x2, y2 } = this.ends(item);
      return [(x1 + x2) / 2, (y1 + y2) / 2];
    }
    const [x, width] = this.span(item);
    const [left, right] = [Math.max(x, this.gutter), Math.min(x + width, this.width)];
    return [(left + right) / 2, this.y(item)];
  }

  /** What is at a point, if anything is; small things before large ones. */
  hit(x, y) {
    let best = null, least = Infinity;
    for (const item of this.shown ?? []) {
      const score = this.distance(item, x, y);
      if (score < least) [best, least] = [item, score];
    }
    return best;
  }

  distance(item, x, y) {
    if (item.kind === Kind.Message) {
      const { x1, y1, x2, y2 } = this.ends(item);
      const away = toSegment(x, y, x1, y1, x2, y2);
      return away <= 6 ? away : Infinity;
    }
    const lane = this.run.lanes[item.lane];
    if (y < lane.y || y > lane.y + lane.height) return Infinity;
    const [left, width] = this.span(item);
    const besides = Math.max(left - x, x - left - Math.max(width, 2), 0);
    const above = Math.abs(y - this.y(item));
    switch (item.kind) {
      case Kind.Mark: return besides <= 5 && above <= 8 ? besides * 0.5 : Infinity;
      case Kind.Progress: case Kind.Disk: return besides <= 3 && above <= 5 ? 2 + besides : Infinity;
      case Kind.Role: return besides <= 1 && above <= 9 ? 6 : Infinity;
      case Kind.Fault: return besides <= 1 && (item.lane !== 0 || above <= 8) ? 7 : Infinity;
      case Kind.Operation: case Kind.Watch: return besides <= 3 ? 1 + besides : Infinity;
      default: return besides <= 0 && above <= 9 ? 9 : Infinity;
    }
  }
}

const FAULTS = { down: "down", paused: "paused", stalled: "disk stalled" };

/** A text that can be read whatever is behind it. */
function written(c, text, x, y, colours) {
  c.strokeStyle = colours.lane;
  c.lineWidth = 3;
  c.lineJoin = "round";
  c.strokeText(text, x, y);
  c.fillText(text, x, y);
}

function line(c, x1, y1, x2, y2) {
  c.beginPath();
  c.moveTo(x1, y1);
  c.lineTo(x2, y2);
  c.stroke();
}

/** As much of a text as fits. */
function fit(c, text, width) {
  if (c.measureText(text).width <= width) return text;
  let length = Math.max(0, Math.floor((text.length * width) / c.measureText(text).width) - 1);
  while (length > 0 && c.measureText(`${text.slice(0, length)}…`).width > width) length--;
  return length > 1 ? `${text.slice(0, length)}…` : "";
}

function group(items) {
  const groups = new Map();
  for (const item of items) {
    const name = `${item.style} ${item.state === "arrived"}`;
    groups.set(name, [...(groups.get(name) ?? []), item]);
  }
  return groups;
}

function toSegment(x, y, x1, y1, x2, y2) {
  const length = (x2 - x1) ** 2 + (y2 - y1) ** 2;
  const share = length === 0 ? 0 : Math.max(0, Math.min(1, ((x - x1) * (x2 - x1) + (y - y1) * (y2 - y1)) / length));
  return Math.hypot(x - x1 - share * (x2 - x1), y - y1 - share * (y2 - y1));
}

/** The whole run in a strip: how much was asked, what went wrong, what is in view. */
function drawOverview(canvas, chart) {
  const { run } = chart, width = canvas.clientWidth, height = 56;
  const c = sharpen(canvas, width, height), colours = palette();
  const left = chart.gutter, x = (time) => left + (time / run.end) * (width - left);
  const { answered, refused, unanswered } = run.activity;
  const most = Math.max(1, ...answered.map((count, at) => count + refused[at] + unanswered[at]));
  const each = (width - left) / answered.length;
  answered.forEach((count, at) => {
    let y = 30;
    for (const [colour, part] of [["done", count], ["refused", refused[at]], ["lost", unanswered[at]]]) {
      const high = (part / most) * 26;
      c.fillStyle = colours[colour];
      c.fillRect(left + at * each, y -= high, each, high);
    }
  });
  for (const item of run.items) {
    const wide = Math.max(x(item.to) - x(item.from), 1.5);
    if (item.kind === Kind.Role && item.state === "leader") {
      c.fillStyle = colours.leader;
      c.fillRect(x(item.from), 33, wide, 7);
    } else if (item.kind === Kind.Fault) {
      c.globalAlpha = 0.6;
      c.fillStyle = colours[item.state] || colours.cut;
      c.fillRect(x(item.from), 43, wide, 8);
      c.globalAlpha = 1;
    }
  }
  c.font = "11px system-ui, sans-serif";
  c.textBaseline = "middle";
  c.fillStyle = colours.soft;
  const names = left > 60 ? ["requests", "leaders", "faults"] : ["req.", "lead", "faults"];
  names.forEach((name, at) => c.fillText(name, 8, [16, 36.5, 47][at]));
  if (run.objection) {
    c.fillStyle = colours.violation;
    c.fillRect(x(run.objection.focus) - 1, 0, 2, height);
  }
  const [from, to] = [x(chart.from), x(chart.to)];
  c.fillStyle = colours.ground;
  c.globalAlpha = 0.6;
  c.fillRect(left, 0, from - left, height);
  c.fillRect(to, 0, width - to, height);
  c.globalAlpha = 1;
  c.strokeStyle = colours.ink;
  c.lineWidth = 1.5;
  c.strokeRect(from, 0.75, Math.max(to - from, 3), height - 1.5);
}

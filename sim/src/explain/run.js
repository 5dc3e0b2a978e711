"use strict";
// The run as it stands in the page, made of numbers into items, and what is asked of
// them: which are in view, which pass the filters, what they are in words.

const Kind = { Life: 0, Role: 1, Fault: 2, Progress: 3, Mark: 4, Message: 5, Disk: 6, Operation: 7, Watch: 8 };
const NAMES = ["life", "role", "fault", "progress", "mark", "message", "disk operation", "operation", "watch"];
/** What lasts longer, in µs, is always looked at; the rest is found by its time. */
const LONG = 2_000_000;

class Run {
  constructor(data) {
    Object.assign(this, data);
    this.lanes = data.lanes.map(([kind, label], at) => ({ at, kind, label }));
    this.nodes = this.lanes.filter((lane) => lane.kind === "node");
    const texts = data.texts;
    this.items = data.items.map(([kind, from, lasts, lane, other, state, key, text, more, leads]) => ({
      kind, from, to: from + lasts, lane, other, leads: leads === 1,
      state: texts[state], key: texts[key], text: texts[text], more: texts[more],
    }));
    this.items.sort((a, b) => a.from - b.from || a.kind - b.kind);
    this.items.forEach((item, at) => { item.at = at; item.style = styleOf(item); });
    this.long = this.items.filter((item) => item.to - item.from > LONG);
    this.short = this.items.filter((item) => item.to - item.from <= LONG);
    this.leads = this.items.filter((item) => item.leads);
    this.filter = { nodes: new Set(), key: "", layers: new Set(["messages", "disk"]) };
  }

  /** The items that overlap a span of time, whatever the filters say. */
  within(from, to) {
    let [low, high] = [0, this.short.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.short[middle].from < from - LONG) low = middle + 1; else high = middle;
    }
    const found = this.long.filter((item) => item.from <= to && item.to >= from);
    for (let at = low; at < this.short.length && this.short[at].from <= to; at++) {
      if (this.short[at].to >= from) found.push(this.short[at]);
    }
    return found;
  }

  /** Whether the filters let an item through. */
  passes(item) {
    const { nodes, key, layers } = this.filter;
    const { kind, style } = item;
    if (kind === Kind.Message && !layers.has(style === "beat" ? "heartbeats" : "messages")) return false;
    if (kind === Kind.Disk && !layers.has("disk")) return false;
    if (kind === Kind.Mark && (style === "in" || style === "out") && !layers.has("words")) return false;
    if (nodes.size > 0 && !nodes.has(item.lane) && !nodes.has(item.other)) {
      if (item.lane !== 0) return false;
    }
    return key === "" || this.concerns(item, key);
  }

  /** Whether an item has to do with a key, or is the frame that all stand in. */
  concerns(item, key) {
    switch (item.kind) {
      case Kind.Operation: case Kind.Watch: return item.key === key;
      case Kind.Message: case Kind.Disk: return mentions(item.text, key);
      case Kind.Mark: return !["in", "out"].includes(item.style) || mentions(item.text, key);
      default: return true;
    }
  }

  /** Every key that operations are about, the busiest first. */
  keys() {
    const counts = new Map();
    for (const { kind, key } of this.items) {
      if (kind === Kind.Operation) counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    return [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  }

  /** What it is, in one line. */
  line(item) {
    const to = this.lanes[item.other].label;
    switch (item.kind) {
      case Kind.Role: return `${item.state}, term ${item.more}`;
      case Kind.Life: return item.text;
      case Kind.Fault: return item.text;
      case Kind.Message: return `to ${to}${item.state === "arrived" ? "" : ` (${item.state})`}: ${item.text}`;
      case Kind.Disk: return `disk: ${item.text}${item.state === "done" ? "" : ` (${item.state})`}`;
      case Kind.Operation: return `${item.text} at ${to}: ${OUTCOMES[item.state] ?? item.state}`;
      case Kind.Watch: return `${item.text} at ${to}: ${item.state}`;
      case Kind.Mark: return item.style === "lie" ? `lied to: ${item.text}` : item.text;
      default: return item.text;
    }
  }
}

const OUTCOMES = { done: "done", fault: "refused by the tree", refused: "not done", lost: "no answer", open: "no answer yet" };

/** Whether a text names a key, and not only one that begins like it. */
function mentions(text, key) {
  for (let at = text.indexOf(key); at >= 0; at = text.indexOf(key, at + 1)) {
    if (!/[\w/]/.test(text[at + key.length] ?? " ")) return true;
  }
  return false;
}

/** How it is drawn: the name of a colour, for messages by what they say. */
function styleOf(item) {
  if (item.kind !== Kind.Message) return item.state;
  const word = item.text.split(/[@ ]/, 1)[0];
  if (word.startsWith("heartbeat")) return "beat";
  if (word === "append") return item.text.includes("[") ? "append" : "beat";
  if (["append-ok", "append-no"].includes(word) || word.startsWith("read-index")) return "ack";
  if (word.startsWith("forward") || word === "not-taken") return "forward";
  return word.startsWith("chunk") || word === "snapshot" ? "chunk" : "vote";
}

/** µs as seconds. */
function seconds(micros, digits = 3) {
  return `${(micros / 1e6).toFixed(digits)} s`;
}

/** How long, as a person says it. */
function span(micros) {
  if (micros >= 1e6) return `${(micros / 1e6).toFixed(2)} s`;
  return micros >= 1_000 ? `${(micros / 1_000).toFixed(1)} ms` : `${micros} µs`;
}

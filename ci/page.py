"""Opens the pages of a folder in chromium and clicks through them: called by ci/page."""

import base64
import sys
import time
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

FOLDER = Path(sys.argv[1]).resolve()
# Name, nodes, whether it failed, whether something had to be left out.
PAGES = [("passing", 5, False, False), ("lie", 5, True, False), ("soak", 5, False, True)]
WIDTHS = {"wide": (1280, 900, False), "phone": (390, 844, True)}
BYTES = 2_000_000


class Page:
    """One page in one scheme at one width."""

    def __init__(self, browser, name, scheme, width):
        self.browser, self.title = browser, f"{name}, {scheme}, {width}"
        self.wide, self.high, self.phone = WIDTHS[width]
        size = dict(width=self.wide, height=self.high, deviceScaleFactor=2 if self.phone else 1, mobile=self.phone)
        self.cdp("Emulation.setDeviceMetricsOverride", **size)
        self.cdp("Emulation.setTouchEmulationEnabled", enabled=self.phone)
        self.cdp("Emulation.setEmulatedMedia", features=[dict(name="prefers-color-scheme", value=scheme)])
        browser.get(f"file://{FOLDER}/{name}.html")
        self.rest()

    def cdp(self, command, **arguments):
        return self.browser.execute_cdp_cmd(command, arguments)

    def js(self, script, *arguments):
        return self.browser.execute_script(f"const {{run, chart, select}} = quorate; {script}", *arguments)

    def get(self, name):
        return self.browser.find_element(By.ID, name)

    def click(self, element):
        self.browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()
        self.rest()

    def rest(self):
        """Until everything is drawn and listed."""
        self.browser.execute_async_script("const done = arguments[0]; requestAnimationFrame(() => setTimeout(done, 200));")

    def span(self):
        return self.js("return chart.to - chart.from")

    def check(self, holds, what):
        if not holds:
            raise AssertionError(f"{self.title}: {what}")

    def picture(self, file):
        # Not the viewport alone; a second time, for the first may be of another size.
        picture = self.cdp("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(picture["data"]))

    def looks(self, nodes, failed, thinned):
        """What must be there before anything is touched."""
        self.check(self.js("return performance.getEntriesByType('resource').length") == 0, "it fetches something")
        wide = self.js("return document.documentElement.scrollWidth")
        self.check(wide <= self.wide, f"it is {wide} px wide")
        lanes = self.js("return run.lanes.filter((lane) => lane.kind === 'node').map((lane) => lane.label)")
        self.check(lanes == [f"n{at + 1}" for at in range(nodes)], f"lanes are {lanes}")
        self.check(self.js("return run.lanes.every((lane) => lane.height >= 15)"), "a lane is too low")
        for name in ("failure", "jump"):
            self.check(self.get(name).is_displayed() == failed, f"#{name} is wrong")
        self.check(self.get("verdict").text == ("FAILED" if failed else "PASSED"), "the verdict is wrong")
        self.check(bool(self.get("left-out").text) == thinned, "what is left out is not said")
        if thinned:
            self.check("heartbeats" in self.get("left-out").text, "heartbeats were not the first to go")
        unnamed = self.browser.execute_script(
            "return [...document.querySelectorAll('button, select, canvas')].filter((it) => !(it.textContent.trim()"
            " || it.getAttribute('aria-label') || it.closest('label'))).length")
        self.check(unnamed == 0, "something has no name for those who do not see it")
        self.check(self.drawn("leader"), "no leader is drawn")
        marks = self.marks()
        at = self.js("return run.objection && Math.round(chart.x(run.objection.focus))")
        right = bool(marks) == failed and all(abs(mark - at) <= 1 for mark in marks)
        self.check(right, f"the violation is marked at {marks}, and is at {at}")

    def marks(self):
        """Where, in CSS pixels, the colour of violations goes from top to bottom."""
        counts = {}
        for x in self.pixels("violation"):
            counts[x] = counts.get(x, 0) + 1
        high = self.js("return chart.canvas.height")
        ratio = 2 if self.phone else 1
        return sorted({x // ratio for x, count in counts.items() if count > 0.9 * high})

    def drawn(self, colour):
        return bool(self.pixels(colour))

    def pixels(self, colour):
        """The pixels of the chart that have exactly this colour: their columns."""
        return self.js("""
            const probe = document.body.appendChild(document.createElement("i"));
            probe.style.color = `var(--${arguments[0]})`;
            const [r, g, b] = getComputedStyle(probe).color.match(/\\d+/g).map(Number);
            probe.remove();
            const { width, height } = chart.canvas;
            const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
            copy.drawImage(chart.canvas, 0, 0);
            const { data } = copy.getImageData(0, 0, width, height);
            const columns = [];
            for (let at = 0; at < data.length; at += 4) {
                if (data[at] === r && data[at + 1] === g && data[at + 2] === b) columns.push((at / 4) % width);
            }
            return columns;""", colour)

    def contrast(self):
        """Of texts and what they stand on: WCAG 2's ratio, 4.5 for all that is read."""
        pairs = [("ink", "ground"), ("soft", "ground"), ("soft", "panel"), ("ink", "panel"), ("violation", "panel"),
                 ("on-leader", "leader"), ("on-pressed", "pressed"), ("ink", "lead-ground"), ("soft", "lead-ground"), ("ink", "button")]
        style = "getComputedStyle(document.documentElement).getPropertyValue('--' + arguments[0]).trim()"
        for pair in pairs:
            light = sorted(luminance(self.js(f"return {style}", name)) for name in pair)
            ratio = (light[1] + 0.05) / (light[0] + 0.05)
            self.check(ratio >= 4.5, f"{pair[0]} on {pair[1]} has a contrast of {ratio:.1f}")

    def zooms(self):
        self.click(self.get("whole"))
        whole = self.span()
        self.check(whole == self.js("return run.end"), "the whole run is not shown")
        self.click(self.get("in"))
        self.check(abs(self.span() - whole / 2) < 2, "it does not zoom in")
        self.click(self.get("out"))
        self.check(self.span() == whole, "it does not zoom out")
        self.get("chart").send_keys("+")
        self.rest()
        self.check(self.span() < whole, "+ does not zoom")
        before = self.js("return chart.from")
        self.get("chart").send_keys(Keys.ARROW_RIGHT)
        self.rest()
        self.check(self.js("return chart.from") > before, "→ does not pan")
        x, y = self.on_chart(self.wide / 2, 60)
        if self.phone:
            self.pinch(x, y)
        else:
            self.cdp("Input.dispatchMouseEvent", type="mouseWheel", x=x, y=y, deltaX=0, deltaY=-120, modifiers=2)
        self.rest()
        self.check(self.span() < whole * 0.55, "neither wheel nor pinch zooms")
        self.get("chart").send_keys("0")
        self.rest()
        self.check(self.span() == whole, "0 does not show the whole run")

    def pinch(self, x, y):
        for kind, apart in [("touchStart", 20), ("touchMove", 40), ("touchMove", 80), ("touchEnd", None)]:
            points = [] if apart is None else [dict(x=x - apart, y=y, id=0), dict(x=x + apart, y=y, id=1)]
            self.cdp("Input.dispatchTouchEvent", type=kind, touchPoints=points)

    def on_chart(self, x, y):
        """A place on the chart as one in the window; it is brought into view."""
        return self.js("""
            const [x, y] = arguments;
            chart.canvas.scrollIntoView({ block: "start" });
            window.scrollBy(0, y - innerHeight / 2);
            const box = chart.canvas.getBoundingClientRect();
            return [box.left + 1 + x, box.top + 1 + y];""", x, y)

    def filters(self):
        self.click(self.get("whole"))
        node = self.browser.find_element(By.CSS_SELECTOR, "#nodes button:nth-child(2)")
        before = self.js("return chart.shown.length")
        self.click(node)
        alone = self.js("return chart.shown.every((it) => [it.lane, it.other].some((at) => at === 0 || run.lanes[at].label === 'n2'))")
        self.check(alone and 0 < self.js("return chart.shown.length") < before, "the filter by node lets others through")
        self.click(node)
        self.check(self.js("return chart.shown.length") == before, "the filter by node stays")
        select = Select(self.get("key"))
        key = select.options[1].get_attribute("value")
        select.select_by_value(key)
        self.rest()
        keys = self.js("return [...new Set(chart.shown.filter((it) => it.kind === Kind.Operation).map((it) => it.key))]")
        self.check(keys == [key], f"the filter by {key} shows {keys}")
        self.check(self.js("return chart.shown.length") < before, "the filter by key lets all through")
        select.select_by_value("")
        self.rest()
        self.check(self.js("return chart.shown.length") == before, "the filter by key stays")

    def points(self, kind):
        """At an event of a kind, which then is told; whatever else is there gives way."""
        found = self.js("""
            const kind = Kind[arguments[0]];
            const good = (it) => it.kind === kind && it.to > it.from && it.to - it.from < 1e6 && run.passes(it);
            for (const item of run.items.filter(good).reverse()) {
                const around = item.to - item.from;
                chart.show(item.from - around, item.to + around);
                chart.draw();
                const [x, y] = chart.locate(item);
                if (chart.hit(x, y) === item) return [item.at, item.text, x, y];
            }""", kind)
        self.check(found is not None, f"no {kind} can be pointed at")
        at, text, x, y = found
        x, y = self.on_chart(x, y)
        if self.phone:
            self.cdp("Input.dispatchTouchEvent", type="touchStart", touchPoints=[dict(x=x, y=y)])
            self.cdp("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        else:
            self.cdp("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
            self.rest()
            tip = self.get("tip")
            self.check(tip.is_displayed() and text[:20] in tip.text, f"the tip says {tip.text!r}, not {text!r}")
            for kind in ("mousePressed", "mouseReleased"):
                self.cdp("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
        self.rest()
        self.check(self.js("return chart.selected?.at") == at, "another event is selected")
        self.check(" ".join(text.split()) in " ".join(self.get("details").text.split()), f"details do not say {text!r}")
        self.check(self.browser.find_elements(By.CSS_SELECTOR, "#events [aria-current]"), "the list does not mark it")

    def violation(self):
        self.click(self.get("whole"))
        self.click(self.get("jump"))
        inside = self.js("return chart.from <= run.objection.focus && run.objection.focus <= chart.to && chart.to - chart.from < run.end")
        self.check(inside, "the violation is not in view")
        self.check(self.drawn("violation") and self.drawn("lead"), "neither violation nor what led to it is drawn")
        what = self.js("return run.objection.what").split("\n")[0]
        self.check(what in self.get("what").get_property("textContent"), "it does not say what is wrong")
        leads = self.browser.find_elements(By.CSS_SELECTOR, "#leads button")
        self.check(len(leads) == self.js("return run.leads.length") + 1, "what led to it is not listed")
        self.click(leads[0])
        self.check(self.js("return chart.selected === run.leads[0]"), "the list does not lead to its event")
        self.click(self.get("jump"))


def luminance(colour):
    """Of #rrggbb."""
    parts = [int(colour[at:at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def start():
    options = webdriver.ChromeOptions()
    for option in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))


def main():
    browser = start()
    try:
        for name, nodes, failed, thinned in PAGES:
            size = (FOLDER / f"{name}.html").stat().st_size
            assert size <= BYTES, f"{name} has {size} bytes"
            grounds = set()
            for scheme in ("light", "dark"):
                for width in WIDTHS:
                    begun = time.monotonic()
                    page = Page(browser, name, scheme, width)
                    page.looks(nodes, failed, thinned)
                    page.contrast()
                    page.zooms()
                    page.filters()
                    for kind in ("Operation", "Message", "Fault"):
                        page.points(kind)
                    if failed:
                        page.violation()
                    else:
                        page.click(page.get("whole"))
                    grounds.add(page.js("return getComputedStyle(document.body).backgroundColor"))
                    log = browser.get_log("browser")
                    page.check(not log, f"the console says {log}")
                    page.picture(FOLDER / f"{name}-{scheme}-{width}.png")
                    print(f"ok    {page.title}, {size} bytes, {time.monotonic() - begun:.1f} s")
            assert len(grounds) == 2, f"{name}: dark and light are alike"
    finally:
        browser.quit()


main()

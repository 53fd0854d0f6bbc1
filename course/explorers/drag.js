// A table row dragged by its grip, with mouse, pen or finger; a line shows where it would go.

// rows: those that it may change places with, itself (number `from`) among them; done(to) when it is let go elsewhere.
export function dragRow(event, rows, from, done) {
  const grip = event.target, stop = new AbortController();
  let to = from;
  const mark = (on) => rows.forEach((row, n) => {
    row.classList.toggle("cx-before", on && n === to && to < from);
    row.classList.toggle("cx-behind", on && n === to && to > from);
  });
  const follow = ({ clientY }) => {
    to = rows.findLastIndex((row, n) => n === 0 || clientY >= row.getBoundingClientRect().top);
    rows[to].scrollIntoView({ block: "nearest" });
    mark(true);
  };
  const end = ({ type }) => {
    stop.abort();
    mark(false);
    if (type === "pointerup" && to !== from) done(to);
  };
  event.preventDefault(); // selects no text
  grip.setPointerCapture(event.pointerId);
  grip.addEventListener("pointermove", follow, { signal: stop.signal });
  for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) grip.addEventListener(name, end, { signal: stop.signal });
}

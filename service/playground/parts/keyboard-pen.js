/** Draw with the keyboard: arrows move the pen, Space puts it down and lifts it. */

const STEP = 8;
const MOVES = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };

/** Listen to the keys of a canvas. Returns a function that stops it. */
export function keyboardPen(canvas, pad, size, onStroke) {
  let at = [size / 2, size / 2];
  let stroke = null; // the points since the pen was put down
  const show = () => {
    const others = pad.toData().filter((group) => group !== stroke?.group);
    if (stroke) stroke.group = group(pad, stroke.points);
    pad.fromData(stroke ? [...others, stroke.group] : others);
  };
  const press = (event) => {
    if (event.key === " ") {
      if (stroke) onStroke();
      stroke = stroke ? null : { points: [at], group: null };
    } else if (MOVES[event.key]) {
      at = at.map((place, axis) => Math.min(size - STEP, Math.max(STEP, place + MOVES[event.key][axis])));
      stroke?.points.push(at);
    } else return;
    event.preventDefault();
    show();
    mark(canvas, at, Boolean(stroke));
  };
  const lift = () => {
    if (stroke?.points.length > 1) onStroke();
    stroke = null;
  };
  canvas.addEventListener("keydown", press);
  canvas.addEventListener("blur", lift);
  return () => {
    canvas.removeEventListener("keydown", press);
    canvas.removeEventListener("blur", lift);
  };
}

const group = (pad, points) => ({
  penColor: pad.penColor,
  minWidth: pad.minWidth,
  maxWidth: pad.maxWidth,
  dotSize: pad.dotSize,
  velocityFilterWeight: pad.velocityFilterWeight,
  compositeOperation: pad.compositeOperation,
  points: points.map(([x, y], place) => ({ x, y, time: 20 * place, pressure: 0.5 })),
});

/** A ring where the pen is, over the drawing and no part of it. */
function mark({ parentElement: paper }, [x, y], down) {
  paper.style.setProperty("--pen-x", `${x}px`);
  paper.style.setProperty("--pen-y", `${y}px`);
  paper.dataset.pen = down ? "down" : "up";
}

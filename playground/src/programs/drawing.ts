/** Drawings: points of pen strokes, and the drawing of the preset. */

/** A movement of the pen: to the right, down, and 1 if the pen is lifted after it. */
export type PenPoint = readonly [dx: number, dy: number, lifted: number];

/** The absolute points of one stroke. */
export type Line = readonly (readonly [x: number, y: number])[];

/** A row of loops, alternately small and large, as in handwriting practice. */
export function practiceLoops(): Line[] {
  return [0, 1, 2].map((row) => {
    const line: [number, number][] = [];
    let x = 0;
    for (let loop = 0; loop < 8; loop++) {
      const height = loop % 2 === 0 ? 26 : 58;
      const width = loop % 2 === 0 ? 15 : 19;
      const steps = loop % 2 === 0 ? 12 : 20;
      for (let i = 0; i < steps; i++) {
        const angle = (2 * Math.PI * i) / steps;
        line.push([
          x + (34 * i) / steps + width * Math.sin(angle) * Math.sin(angle / 2),
          90 * row + 70 - (height * (1 - Math.cos(angle))) / 2,
        ]);
      }
      x += 34;
    }
    return line;
  });
}

/**
 * Converts lines to movements between points at equal distances, scaled to a standard deviation of about 1.
 *
 * @param spacing the distance of the points
 */
export function toStrokes(lines: readonly Line[], spacing = 11): PenPoint[] {
  const moves: [number, number, number][] = [];
  let last: readonly [number, number] | undefined;
  for (const line of lines) {
    const points = resample(line, spacing);
    points.forEach((point, i) => {
      if (last !== undefined) moves.push([point[0] - last[0], point[1] - last[1], i === points.length - 1 ? 1 : 0]);
      last = point;
    });
  }
  // Movements between strokes are long; they must not determine the scale.
  const drawn = moves.filter((_, i) => i > 0 && moves[i - 1]![2] === 0);
  const scale = Math.sqrt(drawn.reduce((sum, [dx, dy]) => sum + dx * dx + dy * dy, 0) / (2 * drawn.length)) || 1;
  return moves.map(([dx, dy, lifted]) => [dx / scale, dy / scale, lifted]);
}

/** The points at equal distances along a line. */
function resample(line: Line, spacing: number): (readonly [number, number])[] {
  const points: (readonly [number, number])[] = line.slice(0, 1).map(([x, y]) => [x, y]);
  let [x, y] = line[0] ?? [0, 0];
  for (const [toX, toY] of line.slice(1)) {
    let distance = Math.hypot(toX - x, toY - y);
    while (distance >= spacing) {
      x += ((toX - x) * spacing) / distance;
      y += ((toY - y) * spacing) / distance;
      points.push([x, y]);
      distance = Math.hypot(toX - x, toY - y);
    }
  }
  return points;
}

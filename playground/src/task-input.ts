/** The data that a visitor gives to a task: a text to paste, or strokes to draw. */

import { create, debounce, setText } from './dom';
import { contextOf } from './plots';
import type { TaskName } from './presets';
import { type Line, practiceLoops, toStrokes } from './programs/drawing';
import { rhyme } from './programs/text';
import type { TaskData } from './protocol';

const shortest = { text: 100, strokes: 24 };
const longestText = 20_000;

/** The inputs of the tasks. */
export interface TaskInput {
  /** Shows the input of a task, if it has one. */
  readonly show: (task: TaskName) => void;
  readonly data: () => TaskData;
  /** Sets the data, for example that of a saved experiment. */
  readonly restore: (data: TaskData) => void;
  /** Draws the strokes again, after a change of size or theme. */
  readonly redraw: () => void;
}

/** @param onChange called when there is new data to train on */
export function createTaskInput(element: HTMLElement, onChange: () => void): TaskInput {
  const text = createTextInput(onChange);
  const pad = createPad(onChange);
  let shown: TaskName | undefined;
  return {
    show(task) {
      if (task === shown) return;
      shown = task;
      element.replaceChildren(...(task === 'text' ? [text.element] : task === 'strokes' ? [pad.element] : []));
      pad.redraw();
    },
    data: () => ({ text: text.value(), strokes: pad.strokes() }),
    restore(data) {
      text.set(data.text);
      pad.set(data.strokes);
    },
    redraw: pad.redraw,
  };
}

function createTextInput(onChange: () => void): {
  element: HTMLElement;
  value: () => string;
  set: (text: string) => void;
} {
  let current = rhyme;
  const area = create('textarea', {
    id: 'text',
    rows: 4,
    maxlength: longestText,
    spellcheck: 'false',
    'aria-describedby': 'text-hint',
  });
  area.value = rhyme;
  const hint = create('p', { class: 'hint', id: 'text-hint', role: 'status' });
  const describe = (): void =>
    setText(
      hint,
      area.value.length < shortest.text
        ? `At least ${shortest.text} characters are needed.`
        : `${area.value.length.toLocaleString('en')} characters. ` +
            'The text stays on this device; it is not part of the link.',
    );
  const changed = debounce(700, () => {
    if (area.value.length < shortest.text || area.value === current) return;
    current = area.value;
    onChange();
  });
  area.addEventListener('input', () => {
    describe();
    changed();
  });
  describe();
  const element = create('div', {}, create('label', { for: 'text' }, 'Text to learn'), area, hint);
  return {
    element,
    value: () => current,
    set(text) {
      area.value = current = text;
      describe();
    },
  };
}

function createPad(onChange: () => void): {
  element: HTMLElement;
  strokes: () => TaskData['strokes'];
  set: (strokes: TaskData['strokes']) => void;
  redraw: () => void;
} {
  let lines: Line[] = practiceLoops();
  let isExample = true;
  let strokes: TaskData['strokes'] = toStrokes(lines);
  const canvas = create('canvas', {
    id: 'pad',
    class: 'pad',
    role: 'img',
    'aria-label': 'Drawing to learn: draw with a mouse, a pen or a finger',
  });
  const hint = create('p', { class: 'hint', role: 'status' });
  const clear = create('button', { type: 'button', id: 'pad-clear' }, 'Clear');
  const example = create('button', { type: 'button', id: 'pad-example' }, 'Example');
  let drawn: [number, number][] | undefined;
  const use = (): void => {
    const next = toStrokes(lines);
    if (next.length < shortest.strokes) {
      setText(hint, 'Draw some more: a few letters, or a pattern that repeats.');
      return;
    }
    strokes = next;
    setText(hint, `${strokes.length} movements. The drawing stays on this device; it is not part of the link.`);
    onChange();
  };
  // A line may have begun in the meantime.
  const useSoon = debounce(900, () => drawn === undefined && use());
  const redraw = (): void => {
    const { context } = contextOf(canvas);
    context.strokeStyle = getComputedStyle(canvas).color;
    context.lineWidth = 2;
    context.lineCap = context.lineJoin = 'round';
    // The example is drawn to fit.
    const [width, height] = [0, 1].map(
      (axis) => 16 + Math.max(1, ...lines.flat().map((point) => point[axis as 0 | 1])),
    );
    const scale = isExample ? Math.min(1, canvas.clientWidth / width!, canvas.clientHeight / height!) : 1;
    for (const line of lines) {
      context.beginPath();
      for (const [x, y] of line) context.lineTo(8 * Number(isExample) + x * scale, y * scale);
      context.stroke();
    }
  };
  canvas.addEventListener('pointerdown', (event) => {
    if (isExample) lines = [];
    isExample = false;
    canvas.setPointerCapture(event.pointerId);
    drawn = [[event.offsetX, event.offsetY]];
    lines.push(drawn);
    redraw();
  });
  canvas.addEventListener('pointermove', (event) => {
    if (drawn === undefined) return;
    drawn.push([event.offsetX, event.offsetY]);
    redraw();
  });
  for (const type of ['pointerup', 'pointercancel'] as const)
    canvas.addEventListener(type, () => {
      if (drawn === undefined) return;
      drawn = undefined;
      useSoon();
    });
  clear.addEventListener('click', () => {
    lines = [];
    isExample = false;
    redraw();
    setText(hint, 'Draw a few letters, or a pattern that repeats.');
  });
  example.addEventListener('click', () => {
    lines = practiceLoops();
    isExample = true;
    redraw();
    use();
  });
  setText(hint, 'Draw here to replace the example.');
  return {
    element: create(
      'div',
      {},
      create('span', { class: 'label' }, 'Drawing to learn'),
      canvas,
      create('div', { class: 'row' }, clear, example),
      hint,
    ),
    strokes: () => strokes,
    set(restored) {
      strokes = restored;
      lines = [];
      isExample = false;
      setText(hint, `${strokes.length} movements from the file.`);
    },
    redraw,
  };
}

/** The controls of the settings. */

import { create, find, setText } from './dom';
import { networkNames, networkTexts } from './networks';
import { presets, type TaskName } from './presets';
import { isAllowed, type NumberName, numberControls, type Settings } from './settings';

/** Called with the settings that a control changes. */
type Change = (settings: Partial<Settings>) => void;

/** Creates the list of tasks. Returns a function that shows the current one. */
export function createTasks(element: HTMLElement, onSelect: (task: TaskName) => void): (task: TaskName) => void {
  const names = Object.keys(presets) as TaskName[];
  for (const name of names) {
    const input = create('input', { type: 'radio', name: 'task', value: name, id: `task-${name}` });
    input.addEventListener('change', () => onSelect(name));
    const { title, summary } = presets[name];
    element.append(
      create(
        'label',
        { class: 'task', for: `task-${name}` },
        input,
        create('span', { class: 'task-body' }, create('strong', {}, title), create('span', {}, summary)),
      ),
    );
  }
  return (task) => {
    const input = find(`#task-${task}`, HTMLInputElement, element);
    input.checked = true;
    // On a phone, the list scrolls.
    const { offsetLeft, offsetWidth } = input.parentElement!;
    element.scrollLeft = offsetLeft + offsetWidth / 2 - element.clientWidth / 2;
  };
}

/** A control, and the function that shows the settings. */
interface Control {
  readonly element: HTMLElement;
  readonly update: (settings: Settings) => void;
}

/** Creates the form of the settings. Returns a function that shows them. */
export function createSettings(form: HTMLFormElement, onChange: Change): (settings: Settings) => void {
  form.addEventListener('submit', (event) => event.preventDefault());
  const networks = networkControl(onChange);
  const optimizer = optimizerControl(onChange);
  const seed = seedControl(onChange);
  const numbers = new Map(
    (['lag', 'length', 'hiddenSize', 'batchSize', 'learningRate', 'clip', 'gain'] as const).map((name) => [
      name,
      sliderControl(name, onChange),
    ]),
  );
  const pick = (...names: NumberName[]): HTMLElement[] =>
    names.flatMap((name) => numbers.get(name as 'lag')?.element ?? []);
  form.append(
    networks.element,
    group('Task and networks', ...pick('lag', 'length', 'hiddenSize', 'gain')),
    group('Training', optimizer.element, ...pick('learningRate', 'clip', 'batchSize'), seed.element),
  );
  return (settings) => {
    for (const { update } of [networks, optimizer, seed, ...numbers.values()]) update(settings);
    const own = presets[settings.task].numbers;
    for (const name of ['lag', 'length'] as const) numbers.get(name)!.element.hidden = !own.includes(name);
  };
}

const group = (title: string, ...children: readonly HTMLElement[]): HTMLElement =>
  create('fieldset', {}, create('legend', {}, title), ...children);

function networkControl(onChange: Change): Control {
  const boxes = networkNames.map((name) => create('input', { type: 'checkbox', id: `cell-${name}`, value: name }));
  const rows = boxes.map((box, i) => {
    const name = networkNames[i]!;
    const { title, explanation } = networkTexts[name];
    return create(
      'label',
      { class: 'network', for: box.id, style: `--color: var(--${name})` },
      box,
      create('span', {}, create('strong', {}, title), create('span', { class: 'hint' }, explanation)),
    );
  });
  const hint = create('p', { class: 'hint' }, 'They train side by side: same task, same batches, same seed.');
  const element = group('Networks', hint, ...rows);
  element.addEventListener('change', () => {
    const cells = networkNames.filter((_, i) => boxes[i]!.checked);
    onChange({ cells });
  });
  return {
    element,
    update: ({ cells }) => {
      boxes.forEach((box, i) => {
        box.checked = cells.includes(networkNames[i]!);
        // The last one cannot be removed.
        box.disabled = cells.length === 1 && box.checked;
      });
    },
  };
}

/** A slider over the values of a number. `onInput`, if given, is called while it moves. */
export function sliderControl(name: NumberName, onChange: Change, onInput?: Change): Control {
  const { label, explanation, values, format = String } = numberControls[name];
  const id = `setting-${name}`;
  const input = create('input', {
    type: 'range',
    id,
    min: 0,
    max: values.length - 1,
    step: 1,
    'aria-describedby': `${id}-hint`,
  });
  const output = create('output', { for: id });
  const show = (value: number): void => {
    setText(output, format(value));
    input.setAttribute('aria-valuetext', format(value));
  };
  const value = (): number => values[Number(input.value)]!;
  input.addEventListener('input', () => {
    show(value());
    onInput?.({ [name]: value() });
  });
  input.addEventListener('change', () => onChange({ [name]: value() }));
  const element = create(
    'div',
    { class: 'control' },
    create('label', { for: id }, label),
    output,
    input,
    create('p', { class: 'hint', id: `${id}-hint` }, explanation),
  );
  return {
    element,
    update: (settings) => {
      input.value = String(Math.max(0, values.indexOf(settings[name])));
      show(settings[name]);
    },
  };
}

function optimizerControl(onChange: Change): Control {
  const select = create(
    'select',
    { id: 'setting-optimizer', 'aria-describedby': 'setting-optimizer-hint' },
    create('option', { value: 'adam' }, 'Adam'),
    create('option', { value: 'sgd' }, 'Gradient descent'),
  );
  select.addEventListener('change', () => onChange({ optimizer: select.value === 'sgd' ? 'sgd' : 'adam' }));
  const hint = 'Adam scales the step of every weight; gradient descent takes the gradient as it is.';
  return {
    element: create(
      'div',
      { class: 'control' },
      create('label', { for: select.id }, 'Optimizer'),
      select,
      create('p', { class: 'hint', id: 'setting-optimizer-hint' }, hint),
    ),
    update: ({ optimizer }) => {
      select.value = optimizer;
    },
  };
}

function seedControl(onChange: Change): Control {
  const input = create('input', {
    type: 'number',
    id: 'setting-seed',
    min: 0,
    max: 999_999,
    step: 1,
    inputmode: 'numeric',
    'aria-describedby': 'setting-seed-hint',
  });
  const button = create('button', { type: 'button', id: 'new-seed' }, 'Next');
  let current = 0;
  input.addEventListener('change', () => {
    const seed = Number(input.value);
    if (input.value !== '' && isAllowed('seed', seed)) onChange({ seed });
    else input.value = String(current);
  });
  button.addEventListener('click', () => onChange({ seed: isAllowed('seed', current + 1) ? current + 1 : 0 }));
  return {
    element: create(
      'div',
      { class: 'control' },
      create('label', { for: input.id }, numberControls.seed.label),
      create('span', { class: 'row' }, input, button),
      create('p', { class: 'hint', id: 'setting-seed-hint' }, numberControls.seed.explanation),
    ),
    update: ({ seed }) => {
      current = seed;
      input.value = String(seed);
    },
  };
}

/** The programs of an experiment and their editor. */

import { create, find } from './dom';
import type { Editor } from './editor';
import { presets, sharedPrograms, type TaskName } from './presets';
import type { Files } from './protocol';

type FileName = keyof Files;
const fileNames: readonly FileName[] = ['task.js', 'cells.js', 'train.js'];

/** The panel of the programs. */
export interface CodePanel {
  /** Shows the programs of a task. */
  readonly show: (task: TaskName) => void;
  /** The programs of the current task, with the changes made so far. */
  readonly files: () => Files;
  /** Adds a line to the output. */
  readonly print: (text: string) => void;
  readonly clearOutput: () => void;
  /** Adds the line of a syntax error to a message; browsers do not report it for all modules. */
  readonly withLine: (message: string) => string;
}

/** @param onRun called when the programs are to run */
export function createCodePanel(onRun: () => void): CodePanel {
  let task: TaskName = 'adding';
  let current: FileName = 'task.js';
  let editor: Editor | undefined;
  const changed = new Map<string, string>();
  const output = find('#output', HTMLPreElement);
  const restore = find('#restore', HTMLButtonElement);

  // Each task has a program of its own; the others are shared.
  const keyOf = (name: FileName): string => (name === 'task.js' ? `${task}/task.js` : name);
  const originalOf = (name: FileName): string => (name === 'task.js' ? presets[task].program : sharedPrograms[name]);
  const textOf = (name: FileName): string => changed.get(keyOf(name)) ?? originalOf(name);

  const tabs = fileNames.map((name) => {
    const tab = create('button', { type: 'button', role: 'tab', id: `tab-${name}`, 'aria-controls': 'editor' }, name);
    tab.addEventListener('click', () => select(name));
    tab.addEventListener('keydown', ({ key }) => {
      const move = { ArrowRight: 1, ArrowLeft: -1 }[key];
      if (move === undefined) return;
      const next = (fileNames.indexOf(current) + move + fileNames.length) % fileNames.length;
      select(fileNames[next]!);
      tabs[next]!.focus();
    });
    return tab;
  });
  find('#files', HTMLElement).append(...tabs);
  const panel = find('#editor', HTMLElement);
  panel.setAttribute('role', 'tabpanel');

  const update = (): void => {
    fileNames.forEach((name, i) => {
      const tab = tabs[i]!;
      tab.setAttribute('aria-selected', String(name === current));
      tab.tabIndex = name === current ? 0 : -1;
      tab.classList.toggle('changed', changed.has(keyOf(name)));
    });
    panel.setAttribute('aria-labelledby', `tab-${current}`);
    restore.disabled = !changed.has(keyOf(current));
  };
  const select = (name: FileName): void => {
    current = name;
    editor?.open(keyOf(name), textOf(name));
    update();
  };

  restore.addEventListener('click', () => {
    changed.delete(keyOf(current));
    select(current);
    onRun();
  });
  find('#run', HTMLButtonElement).addEventListener('click', onRun);
  panel.append(create('p', { class: 'note' }, 'Loading the editor …'));
  import('./editor').then(
    ({ createEditor }) => {
      panel.replaceChildren();
      editor = createEditor(
        panel,
        (key, text) => {
          const name = fileNames.find((file) => keyOf(file) === key);
          if (name === undefined) return;
          if (text === originalOf(name)) changed.delete(key);
          else changed.set(key, text);
          update();
        },
        onRun,
      );
      select(current);
    },
    () => panel.replaceChildren(create('p', { class: 'note' }, 'The editor could not be loaded.')),
  );

  return {
    show(next) {
      task = next;
      select(current);
    },
    files: () => ({ 'task.js': textOf('task.js'), 'cells.js': textOf('cells.js'), 'train.js': textOf('train.js') }),
    print(text) {
      output.hidden = false;
      // The last lines, for programs that print in every update.
      output.textContent = `${output.textContent}${text}\n`.split('\n').slice(-100).join('\n');
      output.scrollTop = output.scrollHeight;
    },
    clearOutput() {
      output.hidden = true;
      output.textContent = '';
    },
    withLine(message) {
      const name = fileNames.find((file) => message.startsWith(`${file}: SyntaxError: `));
      const line = name && editor?.errorLine(textOf(name));
      return line === undefined ? message : message.replace(':', `, line ${line}:`);
    },
  };
}

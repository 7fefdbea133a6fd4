/** The editor of the programs: CodeMirror, loaded when the page is idle. */

import { javascript, javascriptLanguage } from '@codemirror/lang-javascript';
import { HighlightStyle, syntaxHighlighting } from '@codemirror/language';
import { EditorState } from '@codemirror/state';
import { EditorView, keymap } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import { basicSetup } from 'codemirror';

/** An editor for one of several files. */
export interface Editor {
  /** Shows another file, with its own history. */
  readonly open: (name: string, text: string) => void;
  /** The line of the first syntax error of a program; undefined if there is none. */
  readonly errorLine: (text: string) => number | undefined;
  readonly focus: () => void;
}

const highlighting = HighlightStyle.define([
  { tag: tags.keyword, color: 'var(--code-keyword)' },
  { tag: [tags.string, tags.regexp], color: 'var(--code-string)' },
  { tag: [tags.number, tags.bool], color: 'var(--code-number)' },
  { tag: tags.comment, color: 'var(--muted)', fontStyle: 'italic' },
  { tag: [tags.function(tags.variableName), tags.function(tags.propertyName)], color: 'var(--code-function)' },
]);

const theme = EditorView.theme({
  '.cm-scroller': { fontFamily: 'var(--mono)', fontSize: '0.8125rem', lineHeight: '1.55' },
});

/**
 * Creates the editor.
 *
 * @param onChange called after every change of the text
 * @param onRun called when Ctrl+Enter is pressed
 */
export function createEditor(
  parent: HTMLElement,
  onChange: (name: string, text: string) => void,
  onRun: () => void,
): Editor {
  const states = new Map<string, EditorState>();
  let current = '';
  const run = (): boolean => {
    onRun();
    return true;
  };
  const stateOf = (name: string, text: string): EditorState =>
    EditorState.create({
      doc: text,
      extensions: [
        // Tab moves the focus, as everywhere on the page.
        keymap.of([{ key: 'Mod-Enter', run }]),
        basicSetup,
        theme,
        javascript(),
        syntaxHighlighting(highlighting),
        EditorView.contentAttributes.of({ 'aria-label': `Program ${name}`, tabindex: '0' }),
        EditorView.updateListener.of(({ docChanged, state }) => {
          if (docChanged) onChange(current, state.doc.toString());
        }),
      ],
    });
  const view = new EditorView({ parent });
  return {
    open(name, text) {
      if (current !== '') states.set(current, view.state);
      const known = states.get(name);
      current = name;
      view.setState(known?.doc.toString() === text ? known : stateOf(name, text));
    },
    errorLine(text) {
      let at: number | undefined;
      javascriptLanguage.parser.parse(text).iterate({
        enter({ type, from }) {
          if (type.isError) at ??= from;
        },
      });
      return at === undefined ? undefined : text.slice(0, at).split('\n').length;
    },
    focus: () => view.focus(),
  };
}

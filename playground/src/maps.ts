/** The panel of heat maps. */

import { create, find, setText } from './dom';
import { describeRange, drawHeatMap, heightOf, valueAt } from './heat-map';
import type { HeatMapData, Inspection } from './protocol';
import type { Colors } from './theme';
import { nameTag } from './views';

const texts: Readonly<Record<string, string>> = {
  h: 'hidden state h',
  c: 'cell state c',
  i: 'input gate i',
  f: 'forget gate f',
  g: 'candidate g',
  o: 'output gate o',
  r: 'reset gate r',
  z: 'update gate z',
  n: 'candidate n',
};

const notes = {
  states:
    'The state after every step of one test sequence, one row per unit: blue is positive, orange negative. A ' +
    'unit that stays the same from left to right remembers something.',
  gates:
    'A forget gate f, or an update gate z, near 1 (blue) keeps the state, and lets the gradient pass. Simple ' +
    'RNNs have no gates: they overwrite their state at every step.',
};

/** The panel of heat maps. */
export interface MapsPanel {
  readonly draw: (inspections: readonly Inspection[], colors: Colors) => void;
}

/** @param onChoice called when other values are chosen */
export function createMaps(element: HTMLElement, onChoice: () => void): MapsPanel {
  let showsGates = false;
  const note = find('#map-note', HTMLElement);
  const valueText = find('#map-value', HTMLElement);
  const shown = new WeakMap<HTMLCanvasElement, HeatMapData>();
  const cursors = new WeakMap<HTMLCanvasElement, { step: number; unit: number }>();
  setText(note, notes.states);
  find('#map-choice', HTMLFieldSetElement).addEventListener('change', ({ target }) => {
    showsGates = target instanceof HTMLInputElement && target.value === 'gates';
    setText(note, showsGates ? notes.gates : notes.states);
    onChoice();
  });

  const tell = (canvas: HTMLCanvasElement, at: ReturnType<typeof valueAt>): void => {
    const map = shown.get(canvas);
    if (map === undefined || at === undefined) return;
    const { step, unit, value } = at;
    setText(valueText, `${texts[map.name] ?? map.name}, step ${step + 1}, unit ${unit + 1}: ${value.toFixed(3)}`);
  };
  const createCanvas = (): HTMLCanvasElement => {
    const canvas = create('canvas', { class: 'map', role: 'img', tabindex: 0 });
    canvas.addEventListener('pointermove', ({ offsetX, offsetY }) => {
      const map = shown.get(canvas);
      if (map !== undefined) tell(canvas, valueAt(canvas, map, offsetX, offsetY));
    });
    canvas.addEventListener('keydown', (event) => {
      const map = shown.get(canvas);
      const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (map === undefined || move === undefined) return;
      event.preventDefault();
      const { step, unit } = cursors.get(canvas) ?? { step: -1, unit: 0 };
      const next = {
        step: Math.max(0, Math.min(map.steps - 1, step + move[0]!)),
        unit: Math.max(0, Math.min(map.units - 1, unit + move[1]!)),
      };
      cursors.set(canvas, next);
      tell(canvas, { ...next, value: map.data[next.step * map.units + next.unit]! });
    });
    return canvas;
  };

  return {
    draw(inspections, colors) {
      const chosen = inspections.map(({ network, maps, shown: view }) => ({
        network,
        labels: view?.labels ?? (view?.kind === 'tokens' ? view.input : undefined),
        maps: maps.filter(({ name }) => (name === 'h' || name === 'c') !== showsGates),
      }));
      const form = chosen.map(({ network, maps }) => `${network}:${maps.map(({ name }) => name)}`).join();
      if (element.dataset['form'] !== form) {
        element.dataset['form'] = form;
        element.replaceChildren(
          ...chosen.map(({ network, maps }) => {
            const card = create('div', { class: 'card' }, nameTag(network));
            for (const { name } of maps) {
              const caption = create(
                'figcaption',
                {},
                create('span', {}, texts[name] ?? name),
                create('span', { class: 'limit' }),
              );
              card.append(create('figure', {}, caption, createCanvas()));
            }
            if (maps.length === 0) card.append(create('p', { class: 'note' }, showsGates ? 'No gates.' : 'No state.'));
            return card;
          }),
        );
      }
      chosen.forEach(({ labels, maps }, i) => {
        const figures = element.children[i]!.querySelectorAll('figure');
        maps.forEach((map, j) => {
          const canvas = find('canvas', HTMLCanvasElement, figures[j]);
          const height = `${heightOf(map)}px`;
          if (canvas.style.height !== height) canvas.style.height = height;
          const label = `${texts[map.name] ?? map.name}: ${map.steps} steps, ${map.units} units`;
          if (canvas.getAttribute('aria-label') !== label) canvas.setAttribute('aria-label', label);
          shown.set(canvas, map);
          drawHeatMap(canvas, colors, map, labels);
          setText(find('.limit', HTMLElement, figures[j]), describeRange(map));
        });
      });
    },
  };
}

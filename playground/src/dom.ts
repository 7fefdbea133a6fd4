/** Elements of the page. */

/** Finds an element. @throws Error if there is none of this kind */
export function find<E extends Element>(selector: string, kind: new () => E, within: ParentNode = document): E {
  const found = within.querySelector(selector);
  if (!(found instanceof kind)) throw new Error(`The page has no ${kind.name} ${selector}.`);
  return found;
}

/** Creates an element with attributes and children. An attribute that is false is left out. */
export function create<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string | number | boolean>> = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes))
    if (value !== false) element.setAttribute(name, value === true ? '' : String(value));
  element.append(...children);
  return element;
}

/** Sets the text of an element, if it differs. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Offers bytes as a file to save. */
export function download(name: string, bytes: Uint8Array): void {
  // A copy, whose buffer is an ordinary ArrayBuffer.
  const url = URL.createObjectURL(new Blob([new Uint8Array(bytes)]));
  create('a', { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** Returns a function that calls another one when it has not been called for some milliseconds. */
export function debounce(milliseconds: number, call: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(call, milliseconds);
  };
}
